/**
 * Header blocks of HTTP/2 (RFC 7541) as Chromium writes them: everything goes into the dynamic table but the pseudo-headers
 * other than `:authority`, and a text is Huffman-coded where that is shorter. Node's own encoder keeps some fields out of the
 * table, content-length among them, and each such octet shows in the length of a record.
 */

/** Appendix A, in its order. */
const entries: readonly (readonly [string, string])[] = [
  ...[':authority', ':method GET', ':method POST', ':path /', ':path /index.html', ':scheme http', ':scheme https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((status) => `:status ${status}`),
  ...['accept-charset', 'accept-encoding gzip, deflate', 'accept-language', 'accept-ranges', 'accept'],
  ...['access-control-allow-origin', 'age', 'allow', 'authorization', 'cache-control', 'content-disposition'],
  ...['content-encoding', 'content-language', 'content-length', 'content-location', 'content-range', 'content-type'],
  ...['cookie', 'date', 'etag', 'expect', 'expires', 'from', 'host', 'if-match', 'if-modified-since', 'if-none-match'],
  ...['if-range', 'if-unmodified-since', 'last-modified', 'link', 'location', 'max-forwards', 'proxy-authenticate'],
  ...['proxy-authorization', 'range', 'referer', 'refresh', 'retry-after', 'server', 'set-cookie'],
  ...['strict-transport-security', 'transfer-encoding', 'user-agent', 'vary', 'via', 'www-authenticate'],
].map((entry) => {
  const [name = '', ...value] = entry.split(' ')
  return [name, value.join(' ')] as const
})

/** Appendix B: bits of the codes of the characters from 32 to 126. The code is canonical, so they say everything. */
const bitsOfPrintable: readonly number[] = [
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13],
]
const FIRST = 32
/** The one other character whose code stands among these. */
const NUL_BITS = 13

interface Code {
  readonly code: number
  readonly bits: number
}

/** By character; those that are not printable have none, and stand in no field of ours. */
const codes: ReadonlyMap<number, Code> = canonical()

function canonical(): Map<number, Code> {
  const symbols = [[0, NUL_BITS], ...bitsOfPrintable.map((bits, i) => [FIRST + i, bits])] as [number, number][]
  const found = new Map<number, Code>()
  let [next, before] = [0, 0]
  for (const [symbol, bits] of symbols.toSorted(([a, x], [b, y]) => x - y || a - b)) {
    next <<= bits - before
    before = bits
    found.set(symbol, { code: next++, bits })
  }
  return found
}

/** Octets of an entry beside its texts (section 4.1), and of the table as peers have it from the start. */
const ENTRY = 32
const TABLE = 4_096

/** Of one direction of one connection: what it writes depends on everything before. */
export class HpackEncoder {
  /** Newest first. */
  private table: (readonly [string, string])[] = []
  private size = 0
  private most: number = TABLE
  private announced: number = TABLE

  /** The peer takes a table of so many octets; more than the first 4,096 are not used. Said in the next block. */
  limit(octets: number): void {
    this.most = Math.min(TABLE, octets)
    this.shrink(this.most)
  }

  /**
   * Names in small letters, everything printable ASCII, in the order of the wire.
   * @throws RangeError for other characters
   */
  encode(headers: readonly (readonly [string, string])[]): Buffer {
    const out: number[] = []
    if (this.announced !== this.most) {
      this.announced = this.most
      integer(out, 0x20, 5, this.most)
    }
    for (const [name, value] of headers) this.field(out, name, value)
    return Buffer.from(out)
  }

  private field(out: number[], name: string, value: string): void {
    const whole = this.find(([n, v]) => n === name && v === value)
    if (whole > 0) return integer(out, 0x80, 7, whole)
    const isKept = !name.startsWith(':') || name === ':authority'
    const known = this.find(([n]) => n === name)
    if (isKept) integer(out, 0x40, 6, known)
    else integer(out, 0, 4, known)
    if (known === 0) text(out, name)
    text(out, value)
    if (isKept) this.keep(name, value)
  }

  /** Index as on the wire, 0 where there is none; what is in the static table first. */
  private find(fits: (entry: readonly [string, string]) => boolean): number {
    const fixed = entries.findIndex(fits)
    if (fixed >= 0) return fixed + 1
    const own = this.table.findIndex(fits)
    return own < 0 ? 0 : entries.length + own + 1
  }

  private keep(name: string, value: string): void {
    const size = ENTRY + name.length + value.length
    this.shrink(Math.max(0, this.most - size))
    if (size > this.most) return
    this.table.unshift([name, value])
    this.size += size
  }

  private shrink(most: number): void {
    while (this.size > most) {
      const [name, value] = this.table.pop()!
      this.size -= ENTRY + name.length + value.length
    }
  }
}

/** Section 5.1. */
function integer(out: number[], pattern: number, prefix: number, value: number): void {
  const most = 2 ** prefix - 1
  if (value < most) return void out.push(pattern | value)
  out.push(pattern | most)
  let rest = value - most
  for (; rest >= 128; rest >>>= 7) out.push((rest & 127) | 128)
  out.push(rest)
}

/** Section 5.2. */
function text(out: number[], value: string): void {
  let bits = 0
  for (let i = 0; i < value.length; i++) bits += codeOf(value, i).bits
  const length = Math.ceil(bits / 8)
  if (length >= value.length) {
    integer(out, 0, 7, value.length)
    for (let i = 0; i < value.length; i++) out.push(value.charCodeAt(i))
    return
  }
  integer(out, 0x80, 7, length)
  let [held, count] = [0, 0]
  for (let i = 0; i < value.length; i++) {
    const { code, bits: width } = codeOf(value, i)
    held = (held << width) | code
    for (count += width; count >= 8; count -= 8) out.push((held >>> (count - 8)) & 255)
    held &= (1 << count) - 1
  }
  // What is left is filled up with ones.
  if (count > 0) out.push(((held << (8 - count)) | (255 >> count)) & 255)
}

function codeOf(value: string, at: number): Code {
  const found = codes.get(value.charCodeAt(at))
  if (found === undefined) throw new RangeError('a header field holds what is not printable')
  return found
}
