/** HTTP/1.1 on a connection whose records were opened. */
import { concat } from '#protocol/bytes.ts'
import type { Content } from './content.ts'
import { span } from './content.ts'
import type { Exchange, Headers } from './exchanges.ts'

interface Message {
  readonly first: string
  readonly headers: Headers
  readonly body: Uint8Array
  readonly from: number
  readonly to: number
}

export function readHttp1(up: Content, down: Content): Exchange[] {
  const [asked, answered] = [readMessages(up.octets), readMessages(down.octets)]
  return asked.map((request, at) => {
    const response = answered[at]
    const [method = '', target = ''] = request.first.split(' ')
    const { headers, body } = request
    return {
      ...{ method, target, headers, body },
      ...span(up.holding(request.from, request.to), response && down.holding(response.from, response.to)),
      answer: response?.body.length ?? 0,
    }
  })
}

/** Whole messages, one after another; stops where one is not whole. */
function readMessages(octets: Uint8Array): Message[] {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  const found: Message[] = []
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\r\n\r\n', from)
    if (end < 0) break
    const [first = '', ...lines] = text.toString('latin1', from, end).split('\r\n')
    const headers = lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
    })
    const of = (name: string): string | undefined => headers.find(([each]) => each.toLowerCase() === name)?.[1]
    const body =
      of('transfer-encoding') === 'chunked'
        ? chunked(text, end + 4)
        : plain(text, end + 4, Number(of('content-length') ?? 0))
    if (body === undefined) break
    found.push({ first, headers, body: body.octets, from, to: body.end })
    from = body.end
  }
  return found
}

function plain(text: Buffer, from: number, length: number): { octets: Uint8Array; end: number } | undefined {
  const end = from + length
  return end > text.length ? undefined : { octets: text.subarray(from, end), end }
}

function chunked(text: Buffer, from: number): { octets: Uint8Array; end: number } | undefined {
  const pieces: Uint8Array[] = []
  for (let at = from; ; ) {
    const line = text.indexOf('\r\n', at)
    if (line < 0) return undefined
    const length = Number.parseInt(text.toString('latin1', at, line), 16)
    const end = line + 2 + length + 2
    if (!(length >= 0) || end > text.length) return undefined
    if (length === 0) return { octets: concat(...pieces), end }
    pieces.push(text.subarray(line + 2, end - 2))
    at = end
  }
}
