/** The way out of a bound broker: asks the gate, which is the process that started it. */
import type { Socket } from 'node:net'
import type { WayOut } from '../way-out.ts'
import type { Answer, Ask, Beginning } from './gate-messages.ts'

interface Waiting {
  resolve(answer: { readonly value: unknown; readonly socket: Socket | undefined }): void
  reject(error: Error): void
}

export interface GateWay extends WayOut {
  /** First of all. */
  begin(): Promise<Beginning>
}

/** To be called once: takes over the channel to the parent, which then does not keep the process running. */
export function gateWay(): GateWay {
  const waiting = new Map<number, Waiting>()
  let last = 0
  process.on('message', (answer: Answer, socket: Socket | undefined) => {
    const question = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (question === undefined) socket?.destroy()
    else if ('code' in answer)
      question.reject(Object.assign(new Error(`the gate: ${answer.code}`), { code: answer.code }))
    else question.resolve({ value: answer.value, socket })
    if (waiting.size === 0) process.channel?.unref()
  })
  process.channel?.unref()
  const ask = (question: Ask): Promise<{ readonly value: unknown; readonly socket: Socket | undefined }> => {
    const { promise, resolve, reject } = Promise.withResolvers<{ value: unknown; socket: Socket | undefined }>()
    const id = ++last
    waiting.set(id, { resolve, reject })
    process.channel?.ref()
    process.send!({ id, ...question })
    return promise
  }
  return {
    begin: async () => (await ask({ ask: 'begin' })).value as Beginning,
    facts: async () => String((await ask({ ask: 'facts' })).value),
    resolve: async (host) => (await ask({ ask: 'resolve', host })).value as string[],
    connect: async (address, port, signal) => {
      signal.throwIfAborted()
      const asked = ask({ ask: 'connect', address, port })
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      const abort = (): void => {
        reject(signal.reason)
        // Nobody waits for it any more.
        asked.then(
          ({ socket }) => socket?.destroy(),
          () => {},
        )
      }
      signal.addEventListener('abort', abort, { once: true })
      try {
        const { socket } = await Promise.race([asked, aborted])
        if (socket === undefined) throw new Error('the gate gave no socket')
        return socket
      } finally {
        signal.removeEventListener('abort', abort)
      }
    },
  }
}
