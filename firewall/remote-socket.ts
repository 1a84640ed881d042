/** A WebSocket at the core's end of the pipe. */
import type { Line } from './line.ts'
import type { MessageSocket, SocketOptions, SocketRequest } from './message-socket.ts'
import { flat } from './messages.ts'

export async function openRemoteSocket(
  line: Line,
  endpoint: string,
  { target, headers }: SocketRequest,
  { timeoutMs, family, signal }: SocketOptions,
): Promise<MessageSocket> {
  const args = { endpoint, target, headers: flat(headers), timeoutMs, family }
  const { socket } = (await line.call('openSocket', args, undefined, signal)).result
  return {
    send: async ({ text, octets }) => {
      await line.call('sendMessage', { socket, text }, octets)
    },
    receive: async () => {
      const { result, raw } = await line.call('nextMessage', { socket })
      return { text: result.text, octets: raw }
    },
    close: () => {
      // The pipe may have ended: then so has the socket.
      line.call('closeSocket', { socket }).catch(() => {})
    },
  }
}
