/** A program that takes commands in lines of JSON and answers them by number, in any order. */
import type { Owner } from '#test/helpers/command.ts'
import { startLines } from '../ground/lines.ts'

export interface Calls {
  /** Rejects with what the program says went wrong, or where it ends. */
  call(command: object): Promise<Record<string, unknown>>
  /** Without waiting for anything. */
  tell(command: object): void
}

interface Waiting {
  readonly resolve: (answer: Record<string, unknown>) => void
  readonly reject: (error: Error) => void
}

/** Starts it, and waits for the line that says that it is ready. It ends with its owner. */
export async function startCalls(owner: Owner, command: string, args: readonly string[]): Promise<Calls> {
  const program = startLines(command, args)
  owner.teardown(() => program.end())
  await program.line()
  const waiting = new Map<number, Waiting>()
  let next = 0
  const listen = async (): Promise<void> => {
    for (;;) {
      const { id, error, ...answer } = JSON.parse(await program.line()) as { id: number; error?: string }
      const asked = waiting.get(id)
      waiting.delete(id)
      if (error === undefined) asked?.resolve(answer)
      else asked?.reject(new Error(error))
    }
  }
  listen().catch((error: Error) => {
    for (const { reject } of waiting.values()) reject(error)
  })
  return {
    call: (command) =>
      new Promise((resolve, reject) => {
        const id = next++
        waiting.set(id, { resolve, reject })
        program.say(JSON.stringify({ ...command, id }))
      }),
    tell: (command) => program.say(JSON.stringify({ ...command, id: next++ })),
  }
}
