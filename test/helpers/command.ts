/** The product's own processes, run as people run them: a command to its end, or a program that is talked to. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gatewayMain, memberMain } from '../../scripts/demo/commands.ts'

/** Milliseconds after which a process that does not end or does not say what is awaited counts as stuck. */
const DEADLINE_MS = 90_000

/** What ends with a test, or with a whole file. */
export interface Owner {
  teardown(undo: () => void | Promise<void>): void
}

/** An owner for what several tests use; to be ended in `after.always`. */
export class SharedOwner implements Owner {
  private readonly undone: (() => void | Promise<void>)[] = []
  private ended = false

  teardown(undo: () => void | Promise<void>): void {
    if (this.ended) void undo()
    else this.undone.push(undo)
  }

  /** What comes to be owned later ends at once. */
  async end(): Promise<void> {
    this.ended = true
    for (const undo of this.undone.splice(0).reverse()) await undo()
  }
}

export interface Outcome {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** A process under way. Killed with its test. */
export class Command {
  out = ''
  err = ''
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Outcome>
  private over = false
  private readonly watchers = new Set<() => void>()

  /** `server`: runs as long as its owner, and has no deadline of its own. */
  constructor(
    t: Owner,
    argv: readonly string[],
    { env = process.env, server = false }: { readonly env?: NodeJS.ProcessEnv; readonly server?: boolean } = {},
  ) {
    const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'pipe'], env })
    this.child = child
    t.teardown(() => void child.kill('SIGKILL'))
    // Who does not read what we write has ended, which is told by `ended`.
    child.stdin.on('error', () => {})
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.more(() => (this.out += text)))
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.more(() => (this.err += text)))
    const late = server ? undefined : setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status, signal) => {
        clearTimeout(late)
        this.more(() => (this.over = true))
        resolve({ status, signal, out: this.out, err: this.err })
      })
    })
  }

  /** Resolves once `find` finds something in what was printed so far. Rejects where the process ends without it. */
  until<T>(find: (command: Command) => T | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find(this)
        if (found === undefined && !this.over) return
        this.watchers.delete(look)
        if (found !== undefined) resolve(found)
        else reject(new Error(`ended without ${what}\n--- stdout\n${this.out}\n--- stderr\n${this.err}`))
      }
      this.watchers.add(look)
      look()
    })
  }

  /** As `until`, for a line of stdout. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.until(({ out }) => pattern.exec(out) ?? undefined, String(pattern))
  }

  /** As `until`, for a JSON line of stdout; the objects so far are looked through from the beginning. */
  told(wanted: (value: Record<string, unknown>) => boolean, what: string): Promise<Record<string, unknown>> {
    return this.until(({ out }) => jsonLines(out).find(wanted), what)
  }

  say(value: object): void {
    this.child.stdin.write(`${JSON.stringify(value)}\n`)
  }

  private more(change: () => void): void {
    change()
    for (const look of [...this.watchers]) look()
  }
}

/** The objects of output in lines of JSON; a last line without its end is not there yet. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

export async function temporaryFolder(t: Owner, prefix = 'sotto-test-'): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  // Processes of the test end at the same time; what they still write is removed by another try.
  t.teardown(() => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
  return path
}

/** `sotto gateway ...`, `sotto invite ...` */
export function operator(t: Owner, args: readonly string[]): Promise<Outcome> {
  const command = new Command(t, [gatewayMain, ...args])
  command.child.stdin.end()
  return command.ended
}

/** A member's command on a state folder, left running; its input stays open. */
export function startMember(t: Owner, state: string, args: readonly string[]): Command {
  return new Command(t, [memberMain, ...args, '--state', state])
}

/** A member's command, to its end. */
export function member(t: Owner, state: string, args: readonly string[], input = ''): Promise<Outcome> {
  const command = startMember(t, state, args)
  command.child.stdin.end(input)
  return command.ended
}
