/** `sotto gateway status`: whether all is well, at one glance, from the machine alone. What the network shows is the doctor's. */

import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Millis } from '#protocol/bytes.ts'
import { certificateOf, type GatewayConfig } from '../config.ts'
import { Made } from '../deploy/made.ts'
import { PROGRAM, planOf, SERVICE } from '../deploy/plan.ts'
import { bad, type Finding } from '../doctor/finding.ts'
import {
  checkAging,
  checkContacts,
  checkDisk,
  checkFiles,
  checkGateway,
  checkLastDay,
  checkModes,
} from '../doctor/machine.ts'
import { EXPIRY_TABLE, timeIn } from '../expiry-clock.ts'
import { liveTemplates } from '../live-templates.ts'
import { type GatewayState, openState } from '../state.ts'
import { holderOf } from '../store/holder.ts'
import { FORGOTTEN_TABLE, forgottenUntil } from '../used-contacts.ts'
import type { AdminSurroundings } from './commands.ts'
import { jsonOption, stateOption } from './options.ts'

export interface Status {
  readonly domain: string
  readonly front: string
  readonly templates: readonly string[]
  readonly runs: boolean
  /** People who have joined and may come; invites that nobody has used yet. */
  readonly members: number
  readonly open: number
  /** Octets in use by mail and members, and free on the disk. */
  readonly usedBytes: number
  readonly freeBytes: number
  /** Last day of the certificate; null where it is the web server's own affair. */
  readonly certificate: string | null
  readonly well: boolean
  /** What is not as it should be. */
  readonly findings: readonly Finding[]
}

/** Exit status 1 where something fails. */
export function registerStatus(gateway: Command, { out, now, status }: AdminSurroundings): void {
  gateway
    .command('status')
    .description('Say at one glance whether all is well on this machine: service, members, room, certificate.')
    .addOption(stateOption())
    .addOption(jsonOption())
    .action(async ({ state, json }: { readonly state: string; readonly json: boolean }) => {
      const seen = await statusOf(state, now())
      out(json ? `${JSON.stringify(seen)}\n` : describe(seen, state))
      if (seen.findings.some(({ level }) => level === 'fail')) status(1)
    })
}

/** @throws SottoError E_STATE_UNREADABLE, E_CONFIG */
export async function statusOf(stateFolder: string, now: Millis): Promise<Status> {
  const folder = resolve(stateFolder)
  const state = await openState(folder)
  try {
    const { config, store, members } = state
    const invites = members.listInvites(now)
    const certificate = await lastDay(config)
    const gateway = await checkProcess(state)
    const all = [gateway, await checkModes(folder, config), await checkDisk(folder), ...(await lookAtFiles(state))]
    if (certificate !== undefined) all.push(checkLastDay(certificate, now))
    else if (config.acme !== undefined) all.push(noneYet())
    all.push(checkAging(timeIn(store.table(EXPIRY_TABLE)), now))
    all.push(checkContacts(forgottenUntil(store.table(FORGOTTEN_TABLE)), now))
    const findings = all.filter(({ level }) => level !== 'ok')
    const { bavail, bsize } = await statfs(folder)
    return {
      domain: config.domain,
      front: config.front?.kind ?? 'none',
      templates: config.templates,
      runs: gateway.level === 'ok',
      members: invites.filter(({ state: is }) => is !== 'revoked').reduce((sum, { used }) => sum + used, 0),
      open: invites.filter(({ state: is }) => is === 'open').length,
      usedBytes: store.usedBytes(),
      freeBytes: bavail * bsize,
      certificate: certificate?.toISOString().slice(0, 10) ?? null,
      well: findings.length === 0,
      findings,
    }
  } finally {
    await state.close()
  }
}

/** A listener alone may be another program on the gateway's port. */
async function checkProcess({ config, store }: GatewayState): Promise<Finding> {
  const listens = await checkGateway(config)
  if (listens.level !== 'ok' || holderOf(store) !== undefined) return listens
  const what = `${listens.what.replace('The gateway', 'Another program')} The gateway does not run.`
  return bad('gateway', 'fail', what, `See what it is (ss -ltnp), stop it, and: systemctl restart ${SERVICE}`)
}

const noneYet = (): Finding =>
  bad(
    'certificate',
    'fail',
    'There is no certificate yet; the gateway begins once there is.',
    `Does the name lead to this machine, is port 80 open to everybody? journalctl -u ${SERVICE} has what the authority says.`,
  )

async function lookAtFiles({ folder, config }: GatewayState): Promise<Finding[]> {
  if (config.front?.kind === undefined) return []
  const plan = planOf(config, liveTemplates(config.templates), { state: folder, program: PROGRAM })
  return [await checkFiles(plan, (await Made.open(folder)).etc)]
}

/** undefined where there is none yet, or it is not for us to read. */
async function lastDay(config: GatewayConfig): Promise<Date | undefined> {
  const usual = config.front?.kind === 'nginx' ? `/etc/letsencrypt/live/${config.domain}/fullchain.pem` : undefined
  const file = certificateOf(config) ?? usual
  try {
    return file !== undefined && existsSync(file) ? new X509Certificate(await readFile(file)).validToDate : undefined
  } catch {
    return undefined
  }
}

const MIB = 1024 ** 2

function describe(seen: Status, state: string): string {
  const { domain, front, templates, runs, members, open, usedBytes, freeBytes, certificate, findings, well } = seen
  const invites = open === 1 ? '1 invite that nobody has used' : `${open} invites that nobody has used`
  const lines = [
    `${domain}: ${well ? 'all is well.' : findings.some(({ level }) => level === 'fail') ? 'something is wrong.' : 'it works, and needs you.'}`,
    `  gateway      ${runs ? 'runs' : 'does not run'}, ${front === 'none' ? 'no web server in front' : `behind ${front}`}, ${templates.join(', ')}`,
    `  members      ${members}, and ${invites}`,
    `  room         ${(usedBytes / MIB).toFixed(1)} MiB in use, ${(freeBytes / MIB / 1024).toFixed(1)} GiB free`,
    ...(certificate === null ? [] : [`  certificate  until ${certificate}`]),
    ...findings.map(({ level, id, what, mend }) => `${level}  ${id}: ${what}\n      ${mend}`),
    `What the network sees: sotto gateway doctor --state ${state}`,
  ]
  return `${lines.join('\n')}\n`
}
