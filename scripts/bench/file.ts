/**
 * A file from one member to another, as people run them: sealed and kept, laid at the gateway, told of, fetched and saved. Both
 * members, the gateway and its website run on this machine, with cover off, in the look `downloads`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TalkingMember } from '../demo/conversation.ts'
import { exchangeFile, FILE_LOOK } from '../demo/file.ts'
import { members } from '../demo/members.ts'
import { setUp } from '../demo/set-up.ts'
import { freePort } from './ports.ts'
import type { Report } from './report.ts'
import { median, round } from './report.ts'

const OCTETS = 10_000_000
const ROUNDS = 5
const TIME_LIMIT_MS = 120_000

export async function file(): Promise<Report> {
  const state = mkdtempSync(join(tmpdir(), 'sotto-bench-file-'))
  const running = await setUp({ state, port: await freePort(), tell: () => {}, observe: () => {} })
  const people = members.map((member) => new TalkingMember(state, member, () => {}))
  const [from, to] = [people[0]!, people[1]!]
  try {
    for (const person of people) person.say({ look: FILE_LOOK })
    // Once for nothing: conversations begin, and connections.
    await exchangeFile(from, to, TIME_LIMIT_MS, 100_000)
    const times: number[] = []
    for (let i = 0; i < ROUNDS; i++) times.push(await exchangeFile(from, to, TIME_LIMIT_MS, OCTETS))
    return reportOf(median(times))
  } finally {
    for (const person of people) await person.end()
    await running.stop()
    rmSync(state, { recursive: true, force: true })
  }
}

function reportOf(ms: number): Report {
  const setting = `${OCTETS} octets, ${FILE_LOOK}, loopback, median of ${ROUNDS}`
  const speed = round(OCTETS / 1_000 / ms, 2)
  return {
    rows: [
      { what: 'from sending to saved', value: round(ms, 0), unit: 'ms', setting },
      { what: 'that is', value: speed, unit: 'MB/s', setting },
    ],
    result: { file_ms: round(ms, 0), file_mb_per_s: speed, octets: OCTETS },
  }
}
