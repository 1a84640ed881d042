/** How the firewall's list, log and measures read for a person. Pure. */
import { hex } from '#protocol/bytes.ts'
import type { LogLine } from './look.ts'
import type { FlowView } from './meter.ts'
import { measureText } from './meter-texts.ts'
import type { Offered } from './peers.ts'
import type { EndpointSource, FirewallEvent } from './permit.ts'
import { NO_EXPIRY } from './permit.ts'
import type { Endpoint, Refusal } from './policy.ts'
import { authority } from './policy.ts'
import { refusalText } from './refusals.ts'

const sources: Readonly<Record<EndpointSource, string>> = {
  invite: 'an invite that you opened',
  list: 'a signed list of gateways',
  contact: 'a contact, and let in by you',
  hand: 'you, by hand',
}

const two = (value: number): string => String(value).padStart(2, '0')

export function timeText(at: number): string {
  const date = new Date(at)
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** In a word or two. */
function flowWord({ condition, leftMs }: FlowView): string {
  if (condition === 'cut') return `cut off for ${Math.ceil(leftMs / 60_000)} more min`
  return condition === 'throttled' ? 'slowed down' : 'open'
}

export function endpointLine(endpoint: Endpoint, flow: FlowView): string {
  const { id, kind, name, source } = endpoint
  return `${id}  ${kind}  ${name} (${authority(endpoint)}), named by ${sources[source]}, ${flowWord(flow)}`
}

/** Everything that a person may want to know of an endpoint; no secret in it. */
export function endpointValue(endpoint: Endpoint, flow: FlowView): object {
  const { id, kind, name, host, port, addresses, source, expires, key, certificate, code } = endpoint
  return {
    ...{ id, kind, name, host, port, addresses, source },
    expires: expires === NO_EXPIRY ? null : expires,
    confirmed: code === undefined,
    key: hex(key),
    certificate: certificate === undefined ? null : hex(certificate),
    flow,
  }
}

export function explainText(endpoint: Endpoint, flow: FlowView, lines: readonly LogLine[]): string {
  const { name, kind, id, addresses, source, expires, key, certificate } = endpoint
  const measured = flow.shares.map(({ measure, share }) => `${measure} ${Math.round(share * 100)} %`)
  return [
    `${name}: ${kind} ${id}`,
    `  at ${authority(endpoint)}, ${addresses.length === 0 ? 'its address asked of the resolver' : `address ${addresses.join(', ')}`}`,
    `  named by ${sources[source]}, ${expires === NO_EXPIRY ? 'for good' : `until ${timeText(expires * 1000)}`}`,
    `  pinned key ${hex(key)}`,
    `  certificate ${certificate === undefined ? 'of any authority for this name' : hex(certificate)}`,
    `  ${conditionText(flow)}`,
    `  ${flow.proven ? 'has proved within three hours that it is your gateway' : 'has not proved of late that it is your gateway'}`,
    `  measured, of what is ordinary: ${measured.length === 0 ? 'nothing' : measured.join(', ')}`,
    ...(lines.length === 0 ? [] : ['  lately:']),
    ...lines.map((line) => `    ${logText(line, () => undefined)}`),
  ].join('\n')
}

function conditionText({ condition, reason, since, leftMs }: FlowView): string {
  if (condition === 'open' || reason === undefined) return 'open: nothing is held back'
  const how =
    condition === 'cut' ? `cut off for ${Math.ceil(leftMs / 60_000)} more min` : 'slowed down to an exchange a second'
  return `${how}, since ${timeText(since)}: ${measureText(reason)}`
}

/** What it means for a person to connect to a contact's node, before and after they say yes. */
export function peerText({ name, host, port, root }: Offered, allowed: boolean): string {
  const where = authority({ host, port })
  if (allowed)
    return `From the next start on, Sotto connects to ${name}’s node at ${where}. To take it back: sotto firewall undo`
  return [
    `${name} offers a node at ${where}, signed with the key ${root}.`,
    `  Messages to ${name} would go there straight, and by the mailbox where it does not answer.`,
    `  Whoever runs the node sees the address of your computer, and when you write. Your network sees visits to ${host}.`,
    `  ${name} may move the node; Sotto follows what is signed with this key. Nothing else is let in by it.`,
    `To allow it: sotto peer allow ${JSON.stringify(name)} --yes`,
  ].join('\n')
}

const kinds: Readonly<Record<LogLine['kind'], string>> = {
  admitted: 'came on the list by an invite',
  listed: 'came on the list by a signed list',
  peered: 'came on the list as a contact’s node',
  forgotten: 'was taken off the list',
  undone: 'a change was taken back',
  redeemed: 'accepted the membership',
  permitted: 'was asked for by the core',
  dialed: 'was connected to',
  refused: 'refused',
  throttled: 'slowed down',
  cut: 'cut off',
  eased: 'goes on as before',
  allowed: 'allowed by you',
  omitted: 'lines left out in a flood',
}

/** `nameOf`: what an endpoint is called; undefined where it is not known any more. */
export function logText(line: LogLine, nameOf: (id: string) => string | undefined): string {
  const at = timeText(line.at)
  if (line.kind === 'omitted') return `${at} ${line.count} ${kinds.omitted}`
  const { kind, endpoint, reason } = line
  const who = endpoint === undefined ? '' : (nameOf(endpoint) ?? '')
  const parts = [at, who, kinds[kind] ?? kind, reasonText(kind, reason), attemptText(line)]
  return parts.filter((part) => part !== '').join(' ')
}

/** Of an attempt to get past: by what, from where, how often. Made printable when it was written. */
function attemptText({ call, origin, count }: Pick<FirewallEvent, 'call' | 'origin' | 'count'>): string {
  if (call !== undefined) return `[${call}, from ${origin ?? 'unknown'}]`
  return count === undefined ? '' : `[${count} times]`
}

function reasonText(kind: LogLine['kind'], reason: string | undefined): string {
  if (reason === undefined) return ''
  if (kind === 'refused') return `(${reason}): ${refusalText(reason as Refusal)}`
  if (kind === 'throttled' || kind === 'cut') return `(${reason}): ${measureText(reason)}`
  return kind === 'eased' ? '' : `(${reason})`
}
