/** A folder of files, served as nginx serves it. */
import { createReadStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { TLSSocket } from 'node:tls'
import { type Answer, sendPage, writeHead } from './answer.ts'
import { type ByteRange, judgeConditions, judgeRanges } from './conditions.ts'
import type { Decoy } from './decoy.ts'
import type { Site, SiteFile } from './site.ts'
import { parseTarget, type Target } from './target.ts'

export function staticDecoy(site: Site): Decoy {
  return async (request, response) => {
    const url = request.url ?? '/'
    // Most requests name a file exactly: no parsing for them.
    const entry = site.find(url)
    if (entry?.kind === 'file' && isRead(request)) return await sendFile(site, request, response, entry.file)
    const target = parseTarget(url)
    if (target === undefined) return sendPage(request, response, 400, { close: true })
    await answer(site, target, request, response)
  }
}

const isRead = ({ method }: IncomingMessage): boolean => method === 'GET' || method === 'HEAD'

/** As nginx's static module decides: POST learns whether a file exists before it is refused, other methods do not. */
async function answer(site: Site, target: Target, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!isRead(request) && request.method !== 'POST') return sendPage(request, response, 405)
  const entry = site.find(target.path)
  if (entry === undefined) return await sendMissing(site, request, response)
  if (entry.kind === 'redirect') {
    return sendPage(request, response, 301, { location: folderUrl(request, target) })
  }
  if (request.method === 'POST' && entry.kind === 'file') return sendPage(request, response, 405)
  if (entry.kind === 'forbidden') return sendPage(request, response, 403)
  await sendFile(site, request, response, entry.file)
}

function folderUrl(request: IncomingMessage, { path, query }: Target): string {
  const secure = (request.socket as Partial<TLSSocket>).encrypted === true
  const host = (request.headers.host ?? '').replace(/:[0-9]*$/, '')
  const port = request.socket.localPort
  const ordinary = port === undefined || port === (secure ? 443 : 80)
  return `${secure ? 'https' : 'http'}://${host}${ordinary ? '' : `:${port}`}${encodeURI(path)}/${query}`
}

/** The site's own page for what is not there, or the server's. */
async function sendMissing(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const entry = site.find('/404.html')
  const content = entry?.kind === 'file' ? await site.content(entry.file) : undefined
  if (entry?.kind !== 'file' || content === undefined) return sendPage(request, response, 404)
  const { type, etag } = entry.file
  writeHead(request, response, { status: 404, type, length: content.length, more: ['ETag', etag] })
  response.end(request.method === 'HEAD' ? undefined : content)
}

async function sendFile(site: Site, request: IncomingMessage, response: ServerResponse, file: SiteFile): Promise<void> {
  const condition = judgeConditions(request.headers, file)
  if (condition === 412) return sendPage(request, response, 412)
  const { etag, lastModified, type } = file
  if (condition === 304) {
    writeHead(request, response, { status: 304, lastModified, more: ['ETag', etag] })
    response.end()
    return
  }
  const content = site.cached(file) ?? (await site.content(file))
  const ranges = judgeRanges(request.headers, file, file.size)
  if (ranges === 'none') {
    return sendPage(request, response, 416, { more: ['Content-Range', `bytes */${file.size}`] })
  }
  if (ranges !== 'all' && ranges.length === 1) return await sendRange(request, response, file, content, ranges[0]!)
  if (ranges !== 'all' && content !== undefined) return sendRanges(request, response, file, content, ranges)
  const head: Answer = {
    status: 200,
    type,
    length: file.size,
    lastModified,
    more: ['ETag', etag, 'Accept-Ranges', 'bytes'],
  }
  await send(request, response, head, file, content, { start: 0, end: file.size - 1 })
}

async function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  file: SiteFile,
  content: Buffer | undefined,
  range: ByteRange,
): Promise<void> {
  const { start, end } = range
  const { etag, lastModified, type, size } = file
  const more = ['ETag', etag, 'Content-Range', `bytes ${start}-${end}/${size}`]
  const head: Answer = { status: 206, type, length: end - start + 1, lastModified, more }
  await send(request, response, head, file, content?.subarray(start, end + 1), range)
}

let boundaries = 0

/** Several ranges: multipart/byteranges, RFC 9110 section 14.6. */
function sendRanges(
  request: IncomingMessage,
  response: ServerResponse,
  { etag, lastModified, type, size }: SiteFile,
  content: Buffer,
  ranges: readonly ByteRange[],
): void {
  const boundary = String(++boundaries).padStart(20, '0')
  const parts = ranges.flatMap(({ start, end }) => [
    Buffer.from(`\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${start}-${end}/${size}\r\n\r\n`),
    content.subarray(start, end + 1),
  ])
  const body = Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)])
  const multipart = `multipart/byteranges; boundary=${boundary}`
  writeHead(request, response, {
    status: 206,
    type: multipart,
    length: body.length,
    lastModified,
    more: ['ETag', etag],
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** `content`: exactly what is to be sent; missing where it has to be read from disk. */
async function send(
  request: IncomingMessage,
  response: ServerResponse,
  head: Answer,
  { file }: SiteFile,
  content: Buffer | undefined,
  { start, end }: ByteRange,
): Promise<void> {
  writeHead(request, response, head)
  if (request.method === 'HEAD' || head.length === 0) response.end()
  else if (content !== undefined) response.end(content)
  // Where the file went away or shrank meanwhile the connection ends, as any server's would.
  else await pipeline(createReadStream(file, { start, end }), response).catch(() => response.destroy())
}
