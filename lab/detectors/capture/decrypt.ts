/** Opens the records of a TLS 1.3 connection with the secrets that its client has written down (RFC 8446 sections 5.2, 7.3). */
import { createDecipheriv, createHmac } from 'node:crypto'
import type { ClientHello } from './client-hello.ts'
import type { TlsRecord } from './records.ts'
import { RecordType } from './records.ts'

export interface OpenRecord extends TlsRecord {
  /** The type inside: data, handshake, alert; undefined where it could not be opened. */
  readonly inner: number | undefined
  readonly plain: Uint8Array
}

/** Secrets by label and client random, from a file in the form of NSS. */
export type KeyLog = ReadonlyMap<string, Buffer>

export function readKeyLog(text: string): KeyLog {
  const secrets = new Map<string, Buffer>()
  for (const line of text.split('\n')) {
    const [label, random, secret] = line.trim().split(' ')
    if (secret !== undefined && !line.startsWith('#')) secrets.set(`${label} ${random}`, Buffer.from(secret, 'hex'))
  }
  return secrets
}

interface Suite {
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'
  readonly hash: string
  /** Octets of a key. */
  readonly key: number
}

const suites: Readonly<Record<number, Suite>> = {
  4865: { cipher: 'aes-128-gcm', hash: 'sha256', key: 16 },
  4866: { cipher: 'aes-256-gcm', hash: 'sha384', key: 32 },
  4867: { cipher: 'chacha20-poly1305', hash: 'sha256', key: 32 },
}

/** In the order given. Records before the keys, and those that do not open, have no inner type. */
export function openRecords(records: readonly TlsRecord[], hello: ClientHello, keys: KeyLog): OpenRecord[] {
  const answer = records.find(({ up, type }) => !up && type === RecordType.handshake)
  const suite = suites[suiteOf(answer?.fragment)]
  const random = Buffer.from(hello.random).toString('hex')
  const opener = (who: string): Opener => {
    const secrets = ['HANDSHAKE_TRAFFIC_SECRET', 'TRAFFIC_SECRET_0']
      .map((label) => keys.get(`${who}_${label} ${random}`))
      .filter((secret) => secret !== undefined)
    return new Opener(suite, secrets)
  }
  const [up, down] = [opener('CLIENT'), opener('SERVER')]
  return records.map((record) => (record.up ? up : down).open(record))
}

/** The cipher suite that a ServerHello names. */
function suiteOf(message: Uint8Array | undefined): number {
  if (message?.[0] !== 2) return 0
  const at = 4 + 2 + 32 + 1 + message[38]!
  return message[at]! * 256 + message[at + 1]!
}

/** One direction: first under the keys of the handshake, later under those of the traffic, each counting from 0. */
class Opener {
  private readonly suite: Suite | undefined
  private readonly keys: { readonly key: Buffer; readonly iv: Buffer }[]
  private epoch = 0
  private sequence = 0

  constructor(suite: Suite | undefined, secrets: readonly Buffer[]) {
    this.suite = suite
    this.keys =
      suite === undefined
        ? []
        : secrets.map((secret) => ({
            key: expand(suite.hash, secret, 'key', suite.key),
            iv: expand(suite.hash, secret, 'iv', 12),
          }))
  }

  open(record: TlsRecord): OpenRecord {
    const closed = { ...record, inner: undefined, plain: new Uint8Array(0) }
    if (record.type !== RecordType.data || this.suite === undefined) return closed
    for (const epoch of [this.epoch, this.epoch + 1]) {
      const keys = this.keys[epoch]
      if (keys === undefined) break
      const sequence = epoch === this.epoch ? this.sequence : 0
      const content = unseal(this.suite.cipher, keys, sequence, record)
      if (content === undefined) continue
      this.epoch = epoch
      this.sequence = sequence + 1
      let end = content.length
      while (end > 0 && content[end - 1] === 0) end--
      return { ...record, inner: content[end - 1], plain: content.subarray(0, end - 1) }
    }
    return closed
  }
}

/** HKDF-Expand-Label without context (RFC 8446 section 7.1); one block is enough for keys. */
function expand(hash: string, secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`)
  const info = Buffer.concat([Buffer.of(length >> 8, length & 255, name.length), name, Buffer.of(0, 1)])
  return createHmac(hash, secret).update(info).digest().subarray(0, length)
}

function unseal(
  cipher: Suite['cipher'],
  { key, iv }: { readonly key: Buffer; readonly iv: Buffer },
  sequence: number,
  { head, fragment }: TlsRecord,
): Uint8Array | undefined {
  const nonce = Buffer.from(iv)
  nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ sequence) >>> 0, 8)
  // The three are called alike, but their types are not.
  const decipher = createDecipheriv(cipher as 'aes-128-gcm', key, nonce, { authTagLength: 16 })
  decipher.setAAD(head)
  decipher.setAuthTag(fragment.subarray(fragment.length - 16))
  try {
    return new Uint8Array(Buffer.concat([decipher.update(fragment.subarray(0, -16)), decipher.final()]))
  } catch {
    return undefined
  }
}
