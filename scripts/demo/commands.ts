/** Runs the product's own command line, as a person would. */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { SottoError } from '#protocol/errors.ts'

const root = join(import.meta.dirname, '..', '..')
export const gatewayMain: string = join(root, 'gateway', 'main.ts')
export const memberMain: string = join(root, 'firewall', 'main.ts')

/** Runs a command to its end and returns what it printed. @throws SottoError E_INTERNAL with the command's own words */
export function run(script: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(out)
      else reject(new SottoError('E_INTERNAL', `sotto ${args.slice(0, 2).join(' ')} failed:\n${err}`))
    })
    child.stdin.end(input)
  })
}

/** The last line a command printed, as JSON. */
export async function runJson(script: string, args: readonly string[], input = ''): Promise<unknown> {
  const lines = (await run(script, [...args, '--json'], input)).trim().split('\n')
  return JSON.parse(lines.at(-1)!)
}

export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })
}
