/** A program of any kind that answers in lines of text. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface LineProgram {
  /** Says one line. */
  say(line: string): void
  /** The next line it says. Rejects where it ends first. */
  line(): Promise<string>
  /** Its input ends; what does not end by itself is killed. */
  end(): Promise<void>
}

const END_MS = 8_000

export function startLines(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): LineProgram {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
  const lines: string[] = []
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = []
  let ended = false
  const closed = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('close', () => resolve())
  })
  void closed.then(() => {
    ended = true
    for (const { reject } of waiting.splice(0)) reject(new Error(`${command} ended early`))
  })
  child.stdin.on('error', () => {})
  createInterface({ input: child.stdout }).on('line', (line) => {
    const first = waiting.shift()
    if (first === undefined) lines.push(line)
    else first.resolve(line)
  })
  return {
    say: (line) => void child.stdin.write(`${line}\n`),
    line: () => {
      const line = lines.shift()
      if (line !== undefined) return Promise.resolve(line)
      if (ended) return Promise.reject(new Error(`${command} has ended`))
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    end: async () => {
      if (ended) return
      const late = setTimeout(() => child.kill('SIGKILL'), END_MS)
      child.stdin.end()
      await closed
      clearTimeout(late)
    },
  }
}
