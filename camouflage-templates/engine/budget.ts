/** Keeps every message of every size class inside what common servers and edges let pass. */
import type { Context } from './context.ts'
import type { DraftLine } from './headers.ts'
import type { AnyHole } from './hole.ts'
import { TemplateLimits } from './limits.ts'
import type { Message } from './message.ts'
import { fixedLength } from './message.ts'
import { longest } from './pattern.ts'
import type { Path } from './source.ts'

/** Octets of ": " and the line end. */
const HEADER_OVERHEAD = 4

export interface MessageLengths {
  /** Of `message.lines` in their order, characters. */
  readonly lines: readonly number[]
  /** Octets. */
  readonly body: number
}

/** Of the longest message that carries a parcel of `parcel` octets. */
export function longestMessage(message: Message, parcel: number): MessageLengths {
  const fixed = fixedLength(message.payload)
  const payload = (hole: AnyHole): number => {
    return hole.kind === 'payload' ? hole.encodedLength(hole.exact ?? parcel - fixed) : hole.max
  }
  const { body } = message
  const file = body?.file?.encodedLength(parcel - fixed) ?? 0
  return {
    lines: message.lines.map((line) => longest(line.pattern, payload)),
    body: body === undefined ? 0 : longest(body.head, payload) + file + longest(body.tail, payload),
  }
}

export function checkBudget(context: Context, message: Message, lines: readonly DraftLine[], path: Path): void {
  const { bodyBytes, headersLength, headersReserve } = TemplateLimits
  for (const parcel of message.sizes.classes) {
    const lengths = longestMessage(message, parcel)
    let headers = headersReserve
    for (const [index, line] of lines.entries()) {
      const length = lengths.lines[index]!
      if (length > line.most)
        context.refuse(line.path, `at most ${line.most} characters, class ${parcel} makes ${length}`)
      if (line.name !== '') headers += line.name.length + HEADER_OVERHEAD + length
    }
    if (headers > headersLength) {
      context.refuse(
        [...path, 'headers'],
        `at most ${headersLength} characters of headers, class ${parcel} makes ${headers}`,
      )
    }
    if (lengths.body > bodyBytes) {
      context.refuse([...path, 'body'], `at most ${bodyBytes} octets, class ${parcel} makes ${lengths.body}`)
    }
  }
}
