/** WebSockets of a permit where the secrets are: each is judged, and counted for as long as it is open. */
import type { PermitSource } from './local-permit.ts'
import type { MessageSocket } from './message-socket.ts'
import type { Permit } from './permit.ts'
import { decideSocket } from './socket-request.ts'

/** Nothing where the dialer has no sockets. */
export function localSocket(source: PermitSource): Pick<Permit, 'openSocket'> {
  const { dialer } = source
  if (dialer.openSocket === undefined) return {}
  return {
    openSocket: async (request, options) => {
      const target = source.decide()
      const refusal = decideSocket(target, request, options)
      if (refusal !== undefined) throw source.refuse(refusal)
      const leave = source.enterSocket()
      try {
        return counted(await dialer.openSocket!(target, request, options), leave)
      } catch (error) {
        leave()
        throw error
      }
    },
  }
}

/** Calls `leave` once the socket is over: closed here, or found to be over by whoever sends or waits. */
function counted(socket: MessageSocket, leave: () => void): MessageSocket {
  let left = false
  const over = (error?: unknown): never => {
    if (!left) leave()
    left = true
    throw error
  }
  return {
    send: (message) => socket.send(message).catch(over),
    receive: () => socket.receive().catch(over),
    close: () => {
      socket.close()
      if (!left) leave()
      left = true
    },
  }
}
