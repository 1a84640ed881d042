/**
 * `npm run -s lab -- fingerprint [--family chromium|firefox] [--capture] [--json]`: what the dialers show of themselves beside
 * what the browsers of this machine show, in one run. `--capture` writes down what they show now.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { BrowserProfile } from '#firewall/dialers/profile.ts'
import { loadProfile, profileFile } from '#firewall/dialers/profile.ts'
import type { Report, Row } from '../../scripts/bench/report.ts'
import type { BrowserName } from './browsers.ts'
import { programOf } from './browsers.ts'
import { capture } from './capture.ts'
import type { Comparison } from './compare.ts'
import { compare } from './compare.ts'
import { recordOurs } from './ours.ts'
import { recordBrowser } from './visit.ts'

const H2 = ['h2', 'http/1.1'] as const
const H1 = ['http/1.1'] as const
/** Weeks after which a capture counts as stale: browsers have a new version every four. */
const STALE_WEEKS = 8

export async function fingerprint(args: readonly string[]): Promise<Report> {
  const { values } = parseArgs({
    args: [...args],
    options: { family: { type: 'string' }, capture: { type: 'boolean', default: false } },
  })
  const all: readonly BrowserName[] = ['chromium', 'firefox']
  if (values.family !== undefined && !all.some((each) => each === values.family))
    throw new RangeError(`--family: ${all.join(' or ')}`)
  const names = all.filter((name) => (values.family ?? name) === name && programOf(name) !== undefined)
  if (names.length === 0) throw new RangeError('none of these browsers is installed here')
  const rows: Row[] = []
  const results: Record<string, object> = {}
  for (const name of names) {
    const found = values.capture ? await recapture(name) : await compareWith(name)
    rows.push(...found.rows)
    results[name] = found.result
  }
  return { rows, result: { ...results[names[0]!], ...results } }
}

interface Found {
  readonly rows: readonly Row[]
  readonly result: object
}

async function compareWith(name: BrowserName): Promise<Found> {
  const profile = loadProfile(name)
  const theirs = { h2: await recordBrowser(name, H2), h1: await recordBrowser(name, H1) }
  const ours = { h2: await recordOurs(profile, H2), h1: await recordOurs(profile, H1) }
  return told(profile, versionOf(name), compare(profile, theirs, ours))
}

function told(profile: BrowserProfile, installed: string, comparison: Comparison): Found {
  const { ja4, h2Equal, headersEqual, gaps } = comparison
  const setting = `${profile.family} ${installed}`
  const row = (what: string, value: boolean | number, unit: string): Row => ({
    what,
    value: Number(value),
    unit,
    setting,
  })
  const weeks = (Date.now() - Date.parse(profile.captured)) / (7 * 86_400_000)
  const stale = [
    ...(profile.version === installed.split('.')[0]
      ? []
      : [`profile: of version ${profile.version}, ${installed} is installed`]),
    ...(weeks > STALE_WEEKS ? [`profile: captured ${Math.round(weeks)} weeks ago`] : []),
  ]
  const found = [...stale, ...gaps]
  for (const gap of found) console.error(`${profile.family}: ${gap}`)
  return {
    rows: [
      row('JA4 equal', ja4.equal, `fresh ${ja4.fresh}, resumed ${ja4.resumed}`),
      row('HTTP/2 equal', h2Equal, 'settings, window, pseudo-headers, priorities'),
      row('header fields equal', headersEqual, 'names, values, order, case'),
      row('gaps', found.length, 'differences'),
    ],
    result: { ja4_equal: ja4.equal, h2_equal: h2Equal, header_order_equal: headersEqual, gaps: found },
  }
}

/** Writes the profile anew, from the browser as it is now. Header fields are data of templates, and are only compared. */
async function recapture(name: BrowserName): Promise<Found> {
  const seen = await recordBrowser(name, H2)
  const captured = new Date().toISOString().slice(0, 10)
  const profile = capture({ family: name, build: versionOf(name), captured, seen })
  writeFileSync(profileFile(name), `${JSON.stringify(profile, undefined, 2)}\n`)
  const setting = `${name} ${profile.build}`
  return {
    rows: [{ what: 'captured', value: seen.length, unit: 'connections', setting }],
    result: { captured: profile },
  }
}

/** As the program says it. */
function versionOf(name: BrowserName): string {
  const said = execFileSync(programOf(name)!, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return /(\d+(?:\.\d+)+)/.exec(said)?.[1] ?? 'unknown'
}
