/** Programs that a benchmark starts, speaks with by lines of JSON, and ends. */

import type { ChildProcess, StdioOptions } from 'node:child_process'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gatewayFlags, memberFlags } from '../node-flags.ts'

/** Milliseconds that a program has to end by itself when told to; then it is killed. */
const END_MS = 15_000

export interface Program {
  readonly child: ChildProcess
  /** The next line of its output, as JSON. Rejects where the program ends first. */
  next(): Promise<unknown>
  /** Sends one line of JSON. */
  tell(message: unknown): void
  /** Resolves once it has ended, by itself or killed. */
  end(): Promise<void>
}

/** A TypeScript program of ours under the same Node; its standard output is lines of JSON. */
export function start(
  script: string,
  args: readonly string[],
  nodeArgs: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): Program {
  return attach(spawn(process.execPath, [...nodeArgs, script, ...args], { stdio: ['pipe', 'pipe', 'inherit'], env }))
}

/** What a script of a benchmark prints as its one line of JSON, run alone under the flags of Node that a member's client has. */
export async function measuredIn(script: string): Promise<unknown> {
  const program = start(script, [], memberFlags)
  try {
    return await program.next()
  } finally {
    await program.end()
  }
}

/** `gateway.ts` under the flags of Node that a gateway has. */
export function startGateway(args: readonly string[], nodeArgs: readonly string[] = []): Program {
  return start(join(import.meta.dirname, 'gateway.ts'), args, [...gatewayFlags, ...nodeArgs])
}

/** `client.ts` under the flags of Node that a member's client has, with a core of this folder. */
export function startClient(link: string, args: readonly string[], core = 'core.ts'): Program {
  const env = { ...process.env, SOTTO_BENCH_CORE: core }
  return start(join(import.meta.dirname, 'client.ts'), [link, ...args], memberFlags, env)
}

/** `core.ts` alone, with the firewall in the same process; `folder` is for what it keeps. */
export function startOneProcess(link: string, folder: string): Program {
  return start(join(import.meta.dirname, 'core.ts'), ['one-process', link, folder], memberFlags)
}

/** Any program. */
export function startOther(
  command: string,
  args: readonly string[],
  stdio: StdioOptions = ['ignore', 'ignore', 'inherit'],
): Program {
  return attach(spawn(command, args, { stdio }))
}

function attach(child: ChildProcess): Program {
  const lines: string[] = []
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = []
  let ended = false
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const first = waiting.shift()
      if (first === undefined) lines.push(line)
      else first.resolve(line)
    })
  }
  child.on('exit', (code, signal) => {
    ended = true
    for (const { reject } of waiting.splice(0)) reject(new Error(`the program ended early (${code ?? signal})`))
  })
  const nextLine = (): Promise<string> => {
    const line = lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    if (ended) return Promise.reject(new Error('the program has ended'))
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  }
  return {
    child,
    next: async () => JSON.parse(await nextLine()),
    tell: (message) => child.stdin?.write(`${JSON.stringify(message)}\n`),
    end: () =>
      new Promise((resolve) => {
        if (ended) return resolve()
        const stuck = setTimeout(() => child.kill('SIGKILL'), END_MS)
        child.once('exit', () => {
          clearTimeout(stuck)
          resolve()
        })
        child.kill('SIGTERM')
      }),
  }
}
