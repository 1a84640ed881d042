/** `sotto status`: what path is in use, why, since when, what was tried, and what it has cost today. */
import type { Clockwork } from '#client/clockwork.ts'
import type { FlowNote } from '#client/flows.ts'
import type { Member } from '#client/member.ts'
import type { PackInUse } from '#client/packs/keeper.ts'
import type { Octets } from '#client/path.ts'
import type { TunnelStatus } from '#client/tunnel/status.ts'
import { measureText } from '#firewall/meter-texts.ts'
import type { DialerReport, WaysInfo } from '#firewall/permit.ts'
import { errorCodes } from '#protocol/errors.ts'
import { describeEdge } from './edge-view.ts'
import { describePeer, peerValue } from './peer.ts'
import type { Output } from './report.ts'
import { describePath, timeOf } from './text.ts'
import { describeWays } from './ways-view.ts'

/** Milliseconds after which a watcher is told anew although nothing has changed: time and octets go on. */
const AGAIN_MS = 60_000

export interface StatusReport extends TunnelStatus {
  readonly why: string
  /** Octets since midnight, over all gateways. */
  readonly today: Octets
  /** The template pack in use, where there is one. */
  readonly pack?: PackInUse
  /** What the firewall does about this gateway, where it does something. */
  readonly flow?: FlowNote
  /** The proxy and the front that it goes by, where there are any. */
  readonly ways: WaysInfo
  /** What traffic can look like on this machine, with what is known to differ, and what it cannot and why. */
  readonly dialers: readonly DialerReport[]
}

export function reportStatus(member: Member, ways: WaysInfo, output: Output): void {
  const today = member.today()
  const packs = member.packs()
  const flows = member.flowNotes()
  const { dialers } = member
  for (const [index, status] of member.status().entries()) {
    const pack = packs[index]
    const flow = flows[index]
    const more = { ...(pack && { pack }), ...(flow && { flow }) }
    const report: StatusReport = { ...status, why: reasonOf(status, pack), today, ways, dialers, ...more }
    output.result(report, describe(report))
  }
  const peers = member.peers?.views().filter(({ way }) => way !== undefined) ?? []
  for (const peer of peers) output.result({ peer: peerValue(peer) }, describePeer(peer))
}

/** Reports now, after every change, and every minute, until `stopped`. */
export async function watchStatus(
  member: Member,
  ways: WaysInfo,
  output: Output,
  clockwork: Clockwork,
  stopped: Promise<void>,
): Promise<void> {
  let cancel = (): void => {}
  let isOver = false
  const report = (): void => {
    // The end of the connections is no news any more.
    if (isOver) return
    cancel()
    cancel = clockwork.after(AGAIN_MS, report)
    reportStatus(member, ways, output)
  }
  member.onStatus(report)
  report()
  await stopped
  isOver = true
  cancel()
}

/** Why the traffic looks as it does. */
function reasonOf({ template, endpoint, findings, tried }: TunnelStatus, pack: PackInUse | undefined): string {
  if (template === endpoint.template) return 'the invite names it'
  if (findings.some(({ code }) => code === 'E_NET_METHOD'))
    return 'it only asks, and this network refuses to be sent to'
  const failed = tried.findLast((each) => each.template === endpoint.template)
  if (failed === undefined) return pack === undefined ? 'you chose it' : `pack ${pack.serial} has it`
  return `${failed.template} did not come through (${failed.code})`
}

function describe(report: StatusReport): string {
  const { state, since, findings, tried, holdMs, today, why, pack, flow, dialers } = report
  const unfit = dialers.filter((dialer) => dialer.unfit !== undefined)
  const isUp = state.kind === 'ready'
  const edge = describeEdge(report.edge)
  return [
    `${describePath(report)}${pack === undefined ? '' : `, pack ${pack.serial}`}, since ${timeOf(since)}`,
    ...(isUp ? [`  looks so because ${why}; waits up to ${Math.ceil(holdMs / 1000)} s for news`] : []),
    ...(isUp && edge !== '' ? [`  on this network ${edge}`] : []),
    ...describeWays(report.ways, report.endpoint).map((line) => `  ${line}`),
    ...unfit.map(({ family, version, unfit: cause }) => `  cannot look like ${family} ${version} here: ${cause}`),
    ...findings.map(({ code, since: seen }) => `  ${code} since ${timeOf(seen)}: ${errorCodes[code]}`),
    ...(tried.length === 0 ? [] : [`  tried in vain: ${describeTries(tried)}`]),
    ...(flow === undefined ? [] : [`  ${describeFlow(flow)}: sotto firewall explain ${report.endpoint.id}`]),
    `  today ${size(today.up)} up, ${size(today.down)} down`,
  ].join('\n')
}

function describeFlow({ condition, reason, since, leftMs }: FlowNote): string {
  const how = condition === 'cut' ? `cut off, for ${Math.ceil(leftMs / 60_000)} more min` : 'slowed down'
  return `${how} by the firewall since ${timeOf(since)}: ${measureText(reason)}`
}

/** The same in vain again and again is said once. */
function describeTries(tried: TunnelStatus['tried']): string {
  const kinds = Map.groupBy(tried, ({ template, code }) => `${template} ${code}`)
  return [...kinds.values()].map(describeAlike).join(', ')
}

function describeAlike(tries: TunnelStatus['tried']): string {
  const { template, code, at } = tries.at(-1)!
  const when = tries.length === 1 ? `at ${timeOf(at)}` : `${tries.length} times, last at ${timeOf(at)}`
  return `${template} ${when} (${code})`
}

/** Rounded as people say it. */
function size(octets: number): string {
  if (octets < 1_000_000) return `${Math.ceil(octets / 1_000)} kB`
  return `${(octets / 1_000_000).toFixed(1)} MB`
}
