/** The installed browser as a process: found, started with a profile of its own, led through the gate, ended. */
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'
import { SottoError } from '#protocol/errors.ts'
import { BrowserLimits } from '../../limits.ts'
import { Cdp } from './cdp.ts'
import type { Machine } from './machine.ts'
import { systemMachine } from './machine.ts'

/** As distributions name it. Others that are built of Chromium say so in their headers, and are other browsers. */
const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

const PROFILE = 'browser-'

export interface Installed {
  readonly path: string
  /** Major version. */
  readonly version: string
}

/**
 * The browser of that file or that name on PATH; without one, the first that PATH has.
 * @throws SottoError E_BROWSER_MISSING, E_BROWSER_FAILED (none that can be used)
 */
export async function findBrowser(
  named: string | undefined,
  env: NodeJS.ProcessEnv,
  machine: Machine = systemMachine,
): Promise<Installed> {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const wanted = named === undefined ? names : [named]
  const all = wanted.flatMap((name) => (name.includes('/') ? [name] : folders.map((folder) => join(folder, name))))
  const path = all.find(isExecutable)
  if (path === undefined)
    throw new SottoError('E_BROWSER_MISSING', `There is no ${named ?? 'Chromium and no Chrome'} on this computer.`)
  const options = { timeout: BrowserLimits.startMs, env: ownEnvironment(env) }
  const { stdout } = await machine
    .starting(() => promisify(execFile)(path, ['--version'], options))
    .catch((cause: unknown) => {
      throw failed('it does not say its version', cause)
    })
  const [, version] = /^(?:Chromium|Google Chrome) (\d+)\./m.exec(stdout) ?? []
  if (version === undefined || Number(version) < BrowserLimits.version)
    throw failed(`it is no Chromium or Chrome of version ${BrowserLimits.version} or later`)
  return { path, version }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What a window of this browser says: since version 107 nothing but the major version is in it. Without a window it would name that. */
export function userAgentOf(version: string): string {
  return `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`
}

export interface StartOptions {
  readonly browser: Installed
  readonly machine: Machine
  /** Private; the profile lies in it while the browser runs. */
  readonly folder: string
  /** Port of the gate. */
  readonly gate: number
  /** SHA-256 of the public key (SubjectPublicKeyInfo) to accept without an authority, base64. */
  readonly key: string | undefined
  readonly onEnd: () => void
}

export interface Program {
  readonly cdp: Cdp
  /** Ends the process and all that it started, and removes the profile. */
  close(): Promise<void>
}

/** @throws SottoError E_BROWSER_FAILED */
export async function startBrowser({ browser, machine, folder, gate, key, onEnd }: StartOptions): Promise<Program> {
  const profile = await mkdtemp(join(folder, PROFILE))
  const args = [
    ...['--headless=new', '--remote-debugging-pipe', `--user-data-dir=${profile}`, '--no-first-run'],
    `--user-agent=${userAgentOf(browser.version)}`,
    // Everything through the gate, this machine's own addresses too; and no name is ever looked up.
    ...[`--proxy-server=http://127.0.0.1:${gate}`, '--proxy-bypass-list=<-loopback>'],
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions'],
    ...['--disable-default-apps', '--no-pings', '--disable-breakpad', '--password-store=basic', '--mute-audio'],
    ...['--disable-background-timer-throttling', '--disable-renderer-backgrounding'],
    ...(key === undefined ? [] : [`--ignore-certificate-errors-spki-list=${key}`]),
    // It refuses to run as root with its sandbox.
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    'about:blank',
  ]
  // A group of its own: its processes can then be ended together.
  const env = { ...ownEnvironment(process.env), HOME: profile }
  const child = machine.starting(() =>
    spawn(browser.path, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], env, detached: true }),
  )
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  const cdp = new Cdp(child.stdio[4] as Readable, child.stdio[3] as Writable, onEnd)
  const close = async (): Promise<void> => {
    await ended(child, cdp, gone)
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
  try {
    const { product } = await within(cdp.call<{ product: string }>('Browser.getVersion'), BrowserLimits.startMs)
    if (!product.includes(`/${browser.version}.`)) throw new Error('it is another version than it said')
    return { cdp, close }
  } catch (cause) {
    await close()
    throw failed('it does not start', cause)
  }
}

/** Removes what a run that was cut off has left. */
export async function removeProfiles(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) => name.startsWith(PROFILE))
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })))
}

async function ended(child: ChildProcess, cdp: Cdp, gone: Promise<void>): Promise<void> {
  // The pipes end with it: then it goes by itself as well.
  cdp.call('Browser.close').catch(() => {})
  await within(gone, BrowserLimits.endMs).catch(() => {})
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // All are gone.
  }
  child.stdio[3]?.destroy()
  child.stdio[4]?.destroy()
  await gone
}

/** No display, no desktop's services, nothing that names a proxy or loads code. */
function ownEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(['PATH', 'HOME', 'LANG', 'LANGUAGE', 'LC_ALL', 'TZ'].map((name) => [name, env[name]]))
}

export async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(reject, ms, new Error('it takes too long'))
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

export function failed(why: string, cause?: unknown): SottoError {
  return new SottoError('E_BROWSER_FAILED', `The installed browser cannot be used: ${why}.`, { cause })
}
