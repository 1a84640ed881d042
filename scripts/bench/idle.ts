/** What one held, idle session costs the gateway in resident memory, behind a proxy (plain HTTP on loopback). */
import { join } from 'node:path'
import { start, startGateway } from './processes.ts'
import type { Report } from './report.ts'
import { median, round } from './report.ts'

const SESSIONS = 5_000
const ROUNDS = 3
const here = (name: string): string => join(import.meta.dirname, name)

export async function idle(): Promise<Report> {
  const rounds: { perSession: number; sessions: number; before: number }[] = []
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measure())
  const perSession = round(median(rounds.map((each) => each.perSession)), 0)
  const before = median(rounds.map((each) => each.before))
  const sessions = Math.min(...rounds.map((each) => each.sessions))
  const setting = `${sessions} sessions, support-chat, one held poll each, plain HTTP; idle gateway ${round(before / 1e6, 0)} MB`
  return {
    rows: [{ what: 'one held session', value: perSession, unit: 'octets', setting }],
    result: { bytes_per_session: perSession, sessions, idle_rss: before },
  }
}

async function measure(): Promise<{ perSession: number; sessions: number; before: number }> {
  // 32 members an invite, so that no member has more sessions than it may.
  const gateway = startGateway(['http', '0', String(Math.ceil(SESSIONS / 32)), '32'], ['--expose-gc'])
  const { port, links } = (await gateway.next()) as { port: number; links: string[] }
  const memory = async (): Promise<{ rss: number; sessions: number }> => {
    gateway.tell({ run: 'memory' })
    return (await gateway.next()) as { rss: number; sessions: number }
  }
  const before = await memory()
  const client = start(here('idle-client.ts'), [])
  client.tell({ port, links, sessions: SESSIONS })
  await client.next()
  const after = await memory()
  await client.end()
  await gateway.end()
  return { perSession: (after.rss - before.rss) / after.sessions, sessions: after.sessions, before: before.rss }
}
