/**
 * Writes answers the way nginx writes them, as far as Node lets us choose: order and case of headers, the small error
 * pages. A gateway that faces the network itself still differs in what Node's parser refuses before we see it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'

const SERVER = 'nginx'

export interface Answer {
  readonly status: number
  readonly type?: string | undefined
  /** Octets; missing where there is no body at all (304). */
  readonly length?: number
  readonly lastModified?: string
  readonly location?: string
  /** Name, value, name, value. */
  readonly more?: readonly string[]
  readonly close?: boolean
}

let dateSecond = 0
let dateText = ''

/** RFC 9110 section 5.6.7; formatted once a second. */
function dateNow(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}

/** Status line and headers, in nginx's order. Returns the octets of it all. */
export function writeHead(request: IncomingMessage, response: ServerResponse, answer: Answer): number {
  const headers = ['Server', SERVER, 'Date', dateNow()]
  if (answer.type !== undefined) headers.push('Content-Type', answer.type)
  if (answer.length !== undefined) headers.push('Content-Length', String(answer.length))
  if (answer.lastModified !== undefined) headers.push('Last-Modified', answer.lastModified)
  if (answer.location !== undefined) headers.push('Location', answer.location)
  // Named here, since Node names it behind the connection's fate, and nginx before.
  if (answer.length === undefined && comesInPieces(request, response, answer))
    headers.push('Transfer-Encoding', 'chunked')
  const keepAlive = response.shouldKeepAlive && answer.close !== true
  // nginx names the connection's fate always; named here, Node adds no Keep-Alive header of its own.
  headers.push('Connection', keepAlive ? 'keep-alive' : 'close')
  if (answer.more !== undefined) headers.push(...answer.more)
  const reason = reasonOf(answer.status)
  response.writeHead(answer.status, reason, headers)
  // What is left of a body that nobody wants, so that the connection can go on.
  if (!request.complete) request.resume()
  // A colon and a space behind each name, a line end behind each value; another behind the status line, and the last one.
  const fields = headers.reduce((sum, text) => sum + text.length + 2, 0)
  return `HTTP/1.1 ${answer.status} ${reason}`.length + 2 + fields + 2
}

/** Where Node would write in chunks. */
function comesInPieces(request: IncomingMessage, response: ServerResponse, { status }: Answer): boolean {
  return response.useChunkedEncodingByDefault && request.method !== 'HEAD' && status !== 204 && status !== 304
}

/** Octets of a TLS record at the most (RFC 8446 section 5.1). */
const RECORD = 16_384
/** Octets of a body up to which copying it costs less than writing twice. */
const COPIED = 65_536

/**
 * Head and whole body. Of a large body no more goes with the head than fills its record: what Node is given together it
 * copies into one place before it encrypts. The records are the same as if it were written at once.
 */
export function writeWhole(request: IncomingMessage, response: ServerResponse, answer: Answer, body: Uint8Array): void {
  const head = writeHead(request, response, { ...answer, length: body.length })
  const first = RECORD - (head % RECORD)
  if (body.length <= COPIED) return void response.end(body)
  response.write(body.subarray(0, first))
  response.socket?.uncork()
  response.end(body.subarray(first))
}

/** Where nginx's words differ from Node's. */
const reasons: Readonly<Record<number, string>> = {
  302: 'Moved Temporarily',
  405: 'Not Allowed',
  416: 'Requested Range Not Satisfiable',
  503: 'Service Temporarily Unavailable',
  504: 'Gateway Time-out',
}

const reasonOf = (status: number): string => reasons[status] ?? STATUS_CODES[status] ?? ''

const pages = new Map<number, Buffer>()

function pageOf(status: number): Buffer {
  let page = pages.get(status)
  if (page === undefined) {
    page = makePage(status)
    pages.set(status, page)
  }
  return page
}

/** `detail`: what nginx adds for some of what it refuses, in the title instead of the reason. */
function makePage(status: number, detail?: string): Buffer {
  const heading = `${status} ${reasonOf(status)}`
  const lines = [
    `<html>\r\n<head><title>${detail === undefined ? heading : `${status} ${detail}`}</title></head>`,
    `<body>\r\n<center><h1>${heading}</h1></center>`,
    ...(detail === undefined ? [] : [`<center>${detail}</center>`]),
    `<hr><center>${SERVER}</center>\r\n</body>\r\n</html>\r\n`,
  ]
  return Buffer.from(lines.join('\r\n'), 'latin1')
}

/** A whole answer that closes the connection, for what never becomes a request: Node's parser has refused it. */
export function rawPage(status: number, detail?: string): Buffer {
  const page = makePage(status, detail)
  const lines = [
    `HTTP/1.1 ${status} ${reasonOf(status)}`,
    `Server: ${SERVER}`,
    `Date: ${dateNow()}`,
    'Content-Type: text/html',
    `Content-Length: ${page.length}`,
    'Connection: close',
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), page])
}

/** The server's own small page for a status. */
export function sendPage(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  more: Pick<Answer, 'location' | 'more' | 'close'> = {},
): void {
  const page = pageOf(status)
  writeHead(request, response, { status, type: 'text/html', length: page.length, ...more })
  response.end(request.method === 'HEAD' ? undefined : page)
}
