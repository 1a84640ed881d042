/** Words and marks that several commands print. */
import type { MessageStatus, MessageView } from '#client/chat/events.ts'
import type { TunnelStatus } from '#client/tunnel/status.ts'
import { sanitize } from './sanitize.ts'

/** Of our own messages: here, in the contact's mailbox, with the contact, seen. */
export const marks: Readonly<Record<MessageStatus, string>> = {
  pending: '…',
  sent: '✓',
  delivered: '✓✓',
  read: '✓✓ read',
}

export function timeOf(time: number): string {
  const date = new Date(time)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}`
}

/** A message's text with what was done to it, on one or more lines. `answered`: the message that it answers. */
export function textOf(message: MessageView, answered?: MessageView): string {
  const quote =
    message.answers === undefined ? '' : `> ${shorten(answered?.text ?? '(a message that is not here)')}\n   `
  const text = message.withdrawn ? '(withdrawn)' : said(message)
  const reactions = [message.myReaction, message.theirReaction].filter((symbol) => symbol !== undefined)
  const notes = [
    ...(message.edited ? ['edited'] : []),
    ...(message.timer === undefined ? [] : [`goes ${describeSeconds(message.timer)} after reading`]),
  ]
  const marks = [...reactions, ...(notes.length > 0 ? [`(${notes.join(', ')})`] : [])]
  return [`${quote}${text}`, ...marks].join(' ')
}

function said({ text, file }: MessageView): string {
  return file === undefined ? sanitize(text, true) : `[file] ${sanitize(file.name)} (${describeSize(file.size)})`
}

/** As people count octets. */
export function describeSize(octets: number): string {
  if (octets < 1_000) return `${octets} B`
  const [size, unit] = octets < 1_000_000 ? [octets / 1_000, 'kB'] : [octets / 1_000_000, 'MB']
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`
}

/** The first words, in one line. */
function shorten(text: string): string {
  const line = sanitize(text.replace(/\s+/g, ' '))
  return line.length > 60 ? `${line.slice(0, 57)}...` : line
}

const units = [
  ['w', 604_800],
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const

/** As `parseSeconds` reads it. */
export function describeSeconds(seconds: number): string {
  const [unit, size] = units.find(([, each]) => seconds % each === 0 && seconds >= each) ?? ['s', 1]
  return `${seconds / size}${unit}`
}

/** `30s`, `5m`, `1h`, `2d`, `1w`, `off`; undefined for anything else. */
export function parseSeconds(text: string): number | undefined {
  if (text === 'off') return 0
  const [, count, unit] = /^(\d{1,7})([smhdw])$/.exec(text) ?? []
  const size = units.find(([each]) => each === unit)?.[1]
  return size === undefined ? undefined : Number(count) * size
}

/** One line on how a gateway is reached. */
export function describePath({ endpoint, state, template, socket, rttMs }: TunnelStatus): string {
  const name = sanitize(endpoint.name)
  if (state.kind === 'ready')
    return `connected to ${name} (${endpoint.host}), looking like ${template}${socket ? ' over a WebSocket' : ''}, ${Math.round(rttMs)} ms`
  if (state.kind === 'failing') return `not connected to ${name}: ${state.reason} (${state.code}); Sotto goes on trying`
  return `connecting to ${name} (${endpoint.host}) ...`
}
