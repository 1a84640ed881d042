/** Octets for people: text as it is, everything else in hex with its length. */
import { latin1 } from '#protocol/bytes.ts'

/** Octets shown of what is no text, and characters of what is. */
const HEX_MOST = 48
const TEXT_MOST = 4_000

/** Lines of a body; none where it is empty. Parts of a form are shown each as it is. */
export function printableBody(body: Uint8Array, type: string): string[] {
  if (body.length === 0) return []
  const boundary = /^multipart\/[^;]+;.*boundary="?([^";]+)/.exec(type)?.[1]
  if (boundary === undefined) return printable(body)
  const text = latin1(body)
  return text.split(`--${boundary}`).flatMap((part, at) => {
    if (at === 0) return []
    const end = part.indexOf('\r\n\r\n')
    if (end < 0) return [`--${boundary}${part.trimEnd()}`]
    const content = Buffer.from(part.slice(end + 4, -2), 'latin1')
    return [`--${boundary}`, ...part.slice(2, end).split('\r\n'), '', ...printable(content)]
  })
}

function printable(bytes: Uint8Array): string[] {
  const text = latin1(bytes.subarray(0, TEXT_MOST))
  const isText = /^[\t\r\n\x20-\x7e]*$/.test(text)
  if (!isText) return [...hexLines(bytes.subarray(0, HEX_MOST)), `(${bytes.length} octets)`]
  const lines = text.split(/\r?\n/)
  return bytes.length > TEXT_MOST ? [...lines, `(${bytes.length} octets)`] : lines
}

function hexLines(bytes: Uint8Array): string[] {
  const all = Buffer.from(bytes).toString('hex')
  return (all.match(/.{1,32}/g) ?? []).map((line) => line.replaceAll(/(..)(?=.)/g, '$1 '))
}

/** A message of a sample file. */
export function printableMessage(bytes: Uint8Array): string[] {
  const text = latin1(bytes)
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return printable(bytes)
  const lines = text.slice(0, end).split('\r\n')
  const type =
    lines
      .find((line) => /^content-type:/i.test(line))
      ?.slice('content-type:'.length)
      .trim() ?? ''
  return [...lines.map(safe), '', ...printableBody(bytes.subarray(end + 4), type)]
}

/** Nothing that a terminal would obey. */
const safe = (line: string): string => line.replaceAll(/[^\x20-\x7e]/g, '.')
