/** Lines of JSON, each with a stretch of the payload; what varies in a line is drawn for each one. */
import { concat, fromLatin1, latin1 } from '#protocol/bytes.ts'
import { createDraw, pooled } from '../draw.ts'
import type { Filler, Slot } from '../hole.ts'
import type { Pattern, Values } from '../pattern.ts'
import { holesOf, longest, render, scanAll } from '../pattern.ts'
import type { PlainBinary } from './binary.ts'
import { decodeText } from './text-encoding.ts'

/**
 * `line`: read without doubt. `size`: octets on every line but the last.
 * @throws RangeError (completes "expected ...") for holes that cannot stand in a line
 */
export function createNdjson(line: Pattern, size: number): PlainBinary {
  const { slot, fillers } = holesOfLine(line)
  const lengthWith = (bytes: number): number => longest(line, () => slot.encodedLength(bytes)) + 1
  return {
    encodedLength(bytes) {
      const full = Math.ceil(bytes / size) - 1
      return full * lengthWith(size) + lengthWith(bytes - full * size)
    },
    encode(bytes, { bytes: random }) {
      const draw = createDraw(pooled(random))
      let text = ''
      const values: Values = new Map()
      for (let at = 0; at < bytes.length; at += size) {
        for (const filler of fillers) values.set(filler, filler.draw(draw))
        values.set(slot, slot.encode(bytes.subarray(at, at + size)))
        text += `${render(line, values)}\n`
      }
      return fromLatin1(text)
    },
    decode(file) {
      if (file.length === 0) return undefined
      const text = latin1(file)
      const parts: Uint8Array[] = []
      for (let at = 0; at < text.length; ) {
        const end = text.indexOf('\n', at)
        const values: Values = new Map()
        // A line that is shorter than the others is the last one.
        const late = parts.length > 0 && parts.at(-1)!.length !== size
        if (end < 0 || late || !scanAll(line, text.slice(at, end), values)) return undefined
        const part = decodeText(slot, values.get(slot)!)
        if (part === undefined || part.length === 0 || part.length > size) return undefined
        parts.push(part)
        at = end + 1
      }
      return parts.length === 1 ? parts[0] : concat(...parts)
    },
  }
}

function holesOfLine(line: Pattern): { slot: Slot; fillers: Filler[] } {
  const holes = [...new Set(holesOf(line))]
  const fillers = holes.filter((hole): hole is Filler => hole.kind === 'filler')
  const [slot, ...more] = holes.filter((hole): hole is Slot => hole.kind === 'payload')
  if (slot === undefined || more.length > 0 || fillers.length + 1 !== holes.length) {
    throw new RangeError('one place for the payload in a line, and decoration')
  }
  if (slot.exact !== undefined || slot.multiple !== 1 || slot.least > 1) {
    throw new RangeError(`{{${slot.name}}} in a line to be of any length`)
  }
  if (line.pieces.filter((piece) => piece === slot).length > 1) throw new RangeError(`{{${slot.name}}} once in a line`)
  return { slot, fillers }
}
