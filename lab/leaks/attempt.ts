/** What an attempt to get out is: data with a name, tried in a place, against machines that nobody has allowed. */
import { once } from 'node:events'

/** Machines of the documentation's address ranges (RFC 5737, RFC 3849): no packet to them may ever be seen. */
export interface Elsewhere {
  readonly v4: string
  readonly v6: string
  readonly name: string
  readonly port: number
  /** Folder that the attempts may write: the core's, where they are made in the core. */
  readonly folder: string
}

/** Ends where it got through, throws where it was refused. */
export type Attempt = (to: Elsewhere) => unknown

export type Family = Readonly<Record<string, Attempt>>

export const elsewhere = (folder: string): Elsewhere => ({
  ...{ v4: '198.51.100.7', v6: '2001:db8:78::7', name: 'leak.example.org', port: 443, folder },
})

/** Waits for an event, or for the error. */
export function until(emitter: object, event: string): Promise<unknown> {
  return once(emitter as never, event)
}

/** Throws where the program could not do its work. */
export function worked({ status, error }: { status: number | null; error?: Error | undefined }): void {
  if (error !== undefined) throw error
  if (status !== 0) throw Object.assign(new Error('the program failed'), { code: `EXIT_${status}` })
}

export interface Tried {
  readonly family: string
  readonly name: string
  readonly refused: boolean
  /** How it ended: a code, or the text of an error. */
  readonly outcome: string
}

/** Milliseconds that one attempt may take: nobody answers elsewhere, so what goes on has got out. */
const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 2_500)

/** One after the other. `before` and `after` each. */
export async function tryAll(
  families: Readonly<Record<string, Family>>,
  to: Elsewhere,
  each: (tried: Tried) => Promise<void>,
): Promise<void> {
  // What comes after its attempt has ended is nobody's.
  process.on('uncaughtException', () => {})
  process.on('unhandledRejection', () => {})
  for (const [family, attempts] of Object.entries(families)) {
    for (const [name, attempt] of Object.entries(attempts)) {
      const outcome = await outcomeOf(attempt, to)
      await each({ family, name, refused: outcome !== 'got out' && outcome !== 'no end', outcome })
    }
  }
}

async function outcomeOf(attempt: Attempt, to: Elsewhere): Promise<string> {
  const { promise: late, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(resolve, PATIENCE_MS, 'no end')
  // Some are refused where nobody catches: in a later turn of the loop.
  const uncaught = (error: unknown): void => resolve(codeOf(error))
  process.on('uncaughtException', uncaught)
  process.on('unhandledRejection', uncaught)
  try {
    const done = (async () => attempt(to))().then(() => 'got out')
    return await Promise.race([done, late])
  } catch (error) {
    return codeOf(error)
  } finally {
    clearTimeout(timer)
    process.off('uncaughtException', uncaught)
    process.off('unhandledRejection', uncaught)
  }
}

/** Innermost cause that has a code, or its text. */
function codeOf(error: unknown): string {
  if (typeof error === 'string') return error
  const { code, cause } = (error ?? {}) as { code?: string; cause?: unknown }
  if (cause !== undefined && cause !== null) return codeOf(cause)
  return code ?? String(error).slice(0, 80)
}
