/** What a run needs from the machine. It installs nothing. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { NGINX } from '#test/helpers/front-nginx.ts'
import { CHROMIUM } from './drivers/browser.ts'
import { PYTHON } from './ground/network.ts'

/** Debian's packages that are missing, and rights; empty where everything is there. */
export const missing = (): string[] => [...missingForWire(), ...missingForLearning()]

/** Of those, what the wire, the site and its visitors need. */
export function missingForWire(): string[] {
  return [
    ...(process.getuid?.() === 0 ? [] : ['root (for namespaces of the network)']),
    ...(canOpen('/dev/net/tun') ? [] : ['/dev/net/tun']),
    ...(existsSync('/usr/sbin/ip') || existsSync('/sbin/ip') ? [] : ['iproute2']),
    ...(existsSync(NGINX) ? [] : ['nginx-light']),
    ...(existsSync(CHROMIUM) ? [] : ['chromium']),
    ...(existsSync(PYTHON) ? [] : ['python3']),
  ]
}

/** And what attackers and pictures need. */
export function missingForLearning(): string[] {
  const has = (module: string): boolean => spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0
  return [...(has('sklearn') ? [] : ['python3-sklearn']), ...(has('matplotlib') ? [] : ['python3-matplotlib'])]
}

function canOpen(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
