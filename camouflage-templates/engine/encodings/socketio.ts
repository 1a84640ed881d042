/**
 * Packets of socket.io 5 over engine.io 4 as messages of a WebSocket: text, each followed by as many messages of octets as it
 * announces. What a client of that protocol says and hears, and no more of it:
 *
 *   down  0{"sid":...,"pingInterval":25000,"pingTimeout":20000,...}        it is open
 *   up    40                                                             join
 *   down  40{"sid":...}                                                  joined
 *   down  2                                    up  3                     still there?
 *   up    451-7["name",{"_placeholder":true,"num":0}]  + octets          event 7 with one attachment
 *   down  461-7[{"_placeholder":true,"num":0}]         + octets          its acknowledgement
 *   down  451-["name",{"_placeholder":true,"num":0}]   + octets          an event of the server's own
 */
import { concat } from '#protocol/bytes.ts'

/** What socket.io takes in one packet, unless told otherwise. */
export const ATTACHMENTS = 10

export const JOIN = '40'
export const PONG = '3'

export type Packet =
  | { readonly kind: 'open'; readonly pingInterval: number; readonly pingTimeout: number }
  | { readonly kind: 'joined' | 'ping' }
  /** `id`: of the event that is acknowledged. */
  | { readonly kind: 'acknowledged'; readonly id: number; readonly attachments: number }
  | { readonly kind: 'event'; readonly name: string; readonly attachments: number }
  /** Anything else, and how many messages of octets belong to it. */
  | { readonly kind: 'other'; readonly attachments: number }

const placeholders = (count: number): string[] =>
  Array.from({ length: count }, (_, num) => `{"_placeholder":true,"num":${num}}`)

/** The text of an event that asks for an acknowledgement. */
export function eventText(name: string, attachments: number, id: number): string {
  return `45${attachments}-${id}["${name}",${placeholders(attachments).join()}]`
}

/** The text of its acknowledgement. */
export function acknowledgementText(attachments: number, id: number): string {
  return `46${attachments}-${id}[${placeholders(attachments).join()}]`
}

const binary = /^4([56])(\d{1,2})-(\d{0,15})\[/

/** undefined where no server says this, or refuses: the socket is of no use. */
export function readPacket(text: string): Packet | undefined {
  if (text === '2') return { kind: 'ping' }
  if (text.startsWith('0')) return readOpen(text.slice(1))
  if (text.startsWith('40{')) return { kind: 'joined' }
  const found = binary.exec(text)
  if (found === null)
    return text.startsWith('42') || text.startsWith('43') ? { kind: 'other', attachments: 0 } : undefined
  const attachments = Number(found[2])
  if (attachments < 1 || attachments > ATTACHMENTS) return undefined
  const rest = text.slice(found[0].length - 1)
  const places = placeholders(attachments).join()
  if (found[1] === '6' && found[3] !== '' && rest === `[${places}]`)
    return { kind: 'acknowledged', id: Number(found[3]), attachments }
  const name = found[1] === '5' && found[3] === '' ? /^\["([A-Za-z0-9_:.-]{1,64})",/.exec(rest)?.[1] : undefined
  if (name !== undefined && rest === `["${name}",${places}]`) return { kind: 'event', name, attachments }
  return { kind: 'other', attachments }
}

function readOpen(json: string): Packet | undefined {
  try {
    const { pingInterval, pingTimeout } = JSON.parse(json) as Record<string, unknown>
    if (!isDuration(pingInterval) || !isDuration(pingTimeout)) return undefined
    return { kind: 'open', pingInterval, pingTimeout }
  } catch {
    return undefined
  }
}

/** Milliseconds that a server may name; it decides how long its silence is believed. */
const isDuration = (value: unknown): value is number => typeof value === 'number' && value >= 100 && value <= 120_000

/** In attachments of `size` octets each but the last. */
export function splitAttachments(octets: Uint8Array, size: number): Uint8Array[] {
  const count = Math.max(1, Math.ceil(octets.length / size))
  return Array.from({ length: count }, (_, at) => octets.subarray(at * size, (at + 1) * size))
}

/** undefined where they are not what `splitAttachments` makes. */
export function joinAttachments(parts: readonly Uint8Array[], size: number): Uint8Array | undefined {
  const sound = parts.every((part, at) => {
    return at === parts.length - 1 ? part.length > 0 && part.length <= size : part.length === size
  })
  if (!sound || parts.length === 0 || parts.length > ATTACHMENTS) return undefined
  return parts.length === 1 ? parts[0] : concat(...parts)
}
