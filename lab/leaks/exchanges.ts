/** Permitted exchanges, one every so often while attempts are made: they go on working. */
import type { Permit } from '#firewall/permit.ts'
import type { Place } from './lines.ts'

/** Milliseconds. Slow enough for the flow meter, which has its own lab. */
const EVERY_MS = 1_500

/** Resolves once the first is over: its connection is there to be looked at. */
export async function startExchanges(permit: Permit, place: Place): Promise<{ stop(): Promise<void> }> {
  const answers: Promise<boolean>[] = []
  const once = async (): Promise<boolean> => {
    try {
      const request = { method: 'GET', target: '/', headers: [], body: undefined } as const
      return (await permit.exchange(request, { timeoutMs: 20_000, family: 'node' })).status === 200
    } catch {
      return false
    }
  }
  answers.push(once())
  await answers[0]
  const timer = setInterval(() => answers.push(once()), EVERY_MS)
  return {
    stop: async () => {
      clearInterval(timer)
      const done = await Promise.all(answers)
      const failed = done.filter((ok) => !ok).length
      process.stdout.write(`${JSON.stringify({ place, exchanges: done.length, failed })}\n`)
    },
  }
}
