/**
 * Packets of engine.io 4 in one polling body: joined by U+001E, octets as base64 behind a `b`. The octets are the
 * attachments of one binary event of socket.io 5, of which the packet before them tells the number:
 *
 *   451-["name",{"_placeholder":true,"num":0}] RS b<base64> RS b<base64> ...
 */
import { concat, fromLatin1, latin1 } from '#protocol/bytes.ts'
import type { EngineIoData } from '../template.ts'
import { base64 } from './base64.ts'
import type { PlainBinary } from './binary.ts'
import { ATTACHMENTS } from './socketio.ts'
import { decodeText } from './text-encoding.ts'

export const SEPARATOR = '\x1e'
/** Message (4), binary event (5). */
const BINARY_EVENT = '45'

/** @throws RangeError (completes "expected ...") where a class takes more attachments than a receiver accepts */
export function createEngineIo({ event, bytes: size }: EngineIoData, classes: readonly number[]): PlainBinary {
  const largest = classes.at(-1)!
  if (largest > ATTACHMENTS * size) throw new RangeError(`at most ${ATTACHMENTS} attachments for ${largest} octets`)
  const announce = (count: number): string => {
    const places = Array.from({ length: count }, (_, num) => `,{"_placeholder":true,"num":${num}}`)
    return `${BINARY_EVENT}${count}-["${event}"${places.join('')}]`
  }
  return {
    encodedLength(bytes) {
      const count = Math.ceil(bytes / size)
      const last = bytes - (count - 1) * size
      const full = (count - 1) * base64.encodedLength(size)
      return announce(count).length + 2 * count + full + base64.encodedLength(last)
    },
    encode(bytes) {
      const count = Math.ceil(bytes.length / size)
      let text = announce(count)
      for (let at = 0; at < bytes.length; at += size)
        text += `${SEPARATOR}b${base64.encode(bytes.subarray(at, at + size))}`
      return fromLatin1(text)
    },
    decode(file) {
      const [announced, ...packets] = latin1(file).split(SEPARATOR, ATTACHMENTS + 2)
      if (packets.length === 0 || packets.length > ATTACHMENTS || announced !== announce(packets.length))
        return undefined
      const parts: Uint8Array[] = []
      for (const [index, packet] of packets.entries()) {
        const part = packet.startsWith('b') ? decodeText(base64, packet.slice(1)) : undefined
        const isLast = index === packets.length - 1
        const fits = part !== undefined && (isLast ? part.length > 0 && part.length <= size : part.length === size)
        if (!fits) return undefined
        parts.push(part)
      }
      return parts.length === 1 ? parts[0] : concat(...parts)
    },
  }
}
