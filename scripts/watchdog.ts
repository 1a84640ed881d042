/**
 * Runs a command whose output is a sign of life. One that falls silent is killed with everything it has started, and what
 * was still running is told: a check that never ends would say nothing, for ever.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export interface Watched {
  readonly text: string
  /** Exit status; 1 where the command was killed. */
  readonly status: number
  /** By which it was ended. */
  readonly signal: NodeJS.Signals | null
  /** What was running when it had been silent for too long; undefined where it ended by itself. */
  readonly stuck: readonly string[] | undefined
}

/** Milliseconds that a pipe may stay open once the command has ended. */
const PIPE_MS = 2_000

/** Shows the command's output and keeps it. `silenceMs`: the longest pause between two pieces of output. */
export function runWatched(command: string, args: readonly string[], silenceMs: number): Promise<Watched> {
  const { promise, resolve, reject } = Promise.withResolvers<Watched>()
  // A group of its own: whatever the command has started ends with it.
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  let text = ''
  let stuck: readonly string[] | undefined
  const bark = (): void => {
    stuck = descendants(child.pid!)
    kill(child.pid!)
  }
  let timer = setTimeout(bark, silenceMs)
  const onSignal = (): void => kill(child.pid!)
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk
    process.stdout.write(chunk)
    clearTimeout(timer)
    timer = setTimeout(bark, silenceMs)
  })
  child.once('error', reject)
  child.once('exit', (code, signal) => {
    clearTimeout(timer)
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    kill(child.pid!)
    const done = (): void => {
      clearTimeout(held)
      child.stdout.destroy()
      resolve({ text, status: code ?? 1, signal, stuck })
    }
    // What was written last is read to its end, unless somebody who has left the group still holds the pipe.
    const held = setTimeout(done, PIPE_MS)
    child.once('close', done)
  })
  return promise
}

function kill(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // Nobody of the group is left.
  }
}

/** Command lines of the processes below `root`, as far as the system tells (Linux). */
function descendants(root: number): string[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const parent = Number.isInteger(pid) ? parentOf(pid) : undefined
    if (parent !== undefined) parents.set(pid, parent)
  }
  const isBelow = (pid: number | undefined): boolean => pid !== undefined && (pid === root || isBelow(parents.get(pid)))
  return [...parents.keys()].filter(isBelow).map((pid) => `${pid} ${commandOf(pid)}`)
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 300)
  } catch {
    return '(ended)'
  }
}
