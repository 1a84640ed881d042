/**
 * What Node's permission model refuses in the core, heard on its own channels, so that the person can read who tried. Loaded
 * with the confinement of the core, before its code. A core that is hostile as a whole can keep it from being told; the
 * refusal itself does not depend on it.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { Origin } from './lockdown-origin.ts'
import { originOf } from './lockdown-origin.ts'

const scopes = ['addon', 'child', 'ffi', 'fs', 'inspector', 'net', 'openssl-store', 'wasi', 'worker'] as const

/** Denials kept until somebody listens, by count. Attack: memory, by trying at once and often. */
const KEPT = 64

let listener: ((denial: Origin) => void) | undefined
let kept: Origin[] = []

for (const scope of scopes) subscribe(`node:permission-model:${scope}`, () => tell(originOf(scope)))

/** What Node refuses without a word on its channels, and what would open a debugger in another process. */
const silent = ['binding', '_linkedBinding', 'dlopen', '_debugProcess', '_debugEnd'] as const

for (const name of silent) {
  const value = (): never => {
    tell(originOf(`process.${name}`))
    throw Object.assign(new Error(`Access to process.${name} has been restricted`), { code: 'ERR_ACCESS_DENIED' })
  }
  Object.defineProperty(process, name, { value, writable: false, configurable: false })
}

function tell(denial: Origin): void {
  if (listener !== undefined) listener(denial)
  else if (kept.length < KEPT) kept.push(denial)
}

/** One listener: the pipe to the broker. */
export function onDenial(next: (denial: Origin) => void): void {
  listener = next
  for (const denial of kept) next(denial)
  kept = []
}
