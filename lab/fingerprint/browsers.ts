/** The browsers of this machine, started without a window to visit a recorder once, and ended. */
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Recorder } from './recorder.ts'
import { RECORDED_HOST } from './recorder.ts'

export type BrowserName = 'chromium' | 'firefox'

const programs: Readonly<Record<BrowserName, readonly string[]>> = {
  chromium: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
  firefox: ['/usr/bin/firefox-esr', '/usr/bin/firefox'],
}

/** undefined where it is not installed. */
export function programOf(name: BrowserName): string | undefined {
  return programs[name].find((path) => existsSync(path))
}

/** Milliseconds that a browser may take to have asked for what is waited for. */
const PATIENCE = 40_000

/** Visits `/` of the recorder and stays until `last` has been asked for. */
export async function visit(name: BrowserName, recorder: Recorder, last: string): Promise<void> {
  const program = programOf(name)
  if (program === undefined) throw new Error(`${name} is not installed`)
  const profile = mkdtempSync(join(tmpdir(), 'sotto-browser-'))
  const done = recorder.asked(last)
  const start = name === 'chromium' ? startChromium : startFirefox
  const child = await start(program, profile, recorder)
  const late = AbortSignal.timeout(PATIENCE)
  try {
    await Promise.race([done, once(late, 'abort').then(() => Promise.reject(new Error(`${name} did not come`)))])
  } finally {
    process.kill(-child.pid!, 'SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  }
}

const urlOf = ({ port }: Recorder): string => `https://${RECORDED_HOST}:${port}/`

async function startChromium(program: string, profile: string, recorder: Recorder): Promise<ChildProcess> {
  const args = [
    ...['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`],
    `--host-resolver-rules=MAP * 127.0.0.1`,
    `--ignore-certificate-errors-spki-list=${recorder.keyHash}`,
    ...['--disable-component-update', '--disable-background-networking', '--lang=en-US', urlOf(recorder)],
  ]
  return spawn(program, args, { stdio: 'ignore', detached: true })
}

/** Its own list of authorities, in its profile, is made to hold the recorder's: `certutil` of libnss3-tools writes it. */
async function startFirefox(program: string, profile: string, recorder: Recorder): Promise<ChildProcess> {
  const preferences = {
    'network.dns.localDomains': RECORDED_HOST,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'browser.shell.checkDefaultBrowser': false,
    'browser.aboutwelcome.enabled': false,
    'app.normandy.enabled': false,
  }
  const lines = Object.entries(preferences).map(([key, value]) => `user_pref("${key}", ${JSON.stringify(value)});`)
  writeFileSync(join(profile, 'user.js'), lines.join('\n'))
  const database = `sql:${profile}`
  execFileSync('certutil', ['-N', '-d', database, '--empty-password'])
  execFileSync('certutil', ['-A', '-d', database, '-n', 'recorder', '-t', 'C,,'], { input: recorder.authority })
  return spawn(program, ['--headless', '--no-remote', '--profile', profile, urlOf(recorder)], {
    stdio: 'ignore',
    detached: true,
    env: { ...process.env, HOME: profile, LANG: 'en_US.UTF-8' },
  })
}
