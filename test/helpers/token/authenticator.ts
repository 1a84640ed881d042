/**
 * A security key in software: as much of a CTAP 2.0 authenticator (FIDO Alliance, client to authenticator protocol, 2019) as
 * `fido2-cred` and `fido2-assert` ask for: getInfo, clientPIN with protocol 1, makeCredential and getAssertion with
 * hmac-secret. It keeps nothing of what it makes: keys follow from the id of the credential.
 */
import type { KeyObject } from 'node:crypto'
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto'
import { type Cbor, type CborMap, decodeCbor, encodeCbor } from './cbor.ts'

export const Status = {
  ok: 0x00,
  unknown: 0x01,
  denied: 0x27,
  noCredentials: 0x2e,
  touchTimeout: 0x2f,
  pinInvalid: 0x31,
  pinBlocked: 0x32,
  pinAuthInvalid: 0x33,
  pinRequired: 0x36,
} as const

export interface TokenTraits {
  /** A PIN that was set on it. */
  readonly pin?: string
  /** False: an older key without the extension. */
  readonly hmacSecret?: boolean
  /** What happens instead of a touch. */
  readonly untouched?: typeof Status.denied | typeof Status.touchTimeout
}

const Flag = { present: 1, verified: 4, attested: 0x40, extended: 0x80 } as const
const AAGUID = Buffer.alloc(16)
const PIN_TRIES = 8
const zeros = Buffer.alloc(16)

const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer =>
  parts.reduce((mac, part) => mac.update(part), createHmac('sha256', key)).digest()

function cbc(key: Uint8Array, bytes: Uint8Array, make: typeof createCipheriv | typeof createDecipheriv): Buffer {
  const cipher = make('aes-256-cbc', key, zeros).setAutoPadding(false)
  return Buffer.concat([cipher.update(bytes), cipher.final()])
}

/** A refusal with its octet of CTAP. */
class Refused extends Error {
  readonly status: number

  constructor(status: number) {
    super(`status ${status}`)
    this.status = status
  }
}

export class Authenticator {
  /** How often it was touched. */
  touches = 0
  private readonly master = randomBytes(32)
  private readonly agreement = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  private readonly signing = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  private readonly pinToken = randomBytes(32)
  private readonly traits: TokenTraits
  private tries = PIN_TRIES

  constructor(traits: TokenTraits = {}) {
    this.traits = traits
  }

  /** One command of CTAP and its answer: an octet of status, then CBOR where there is something to say. */
  answer(message: Uint8Array): Uint8Array {
    const asked = message.length > 1 ? (decodeCbor(message.subarray(1)) as CborMap) : new Map()
    try {
      const told = this.run(message[0]!, asked)
      return Buffer.concat([Buffer.of(Status.ok), encodeCbor(told)])
    } catch (error) {
      if (error instanceof Refused) return Buffer.of(error.status)
      throw error
    }
  }

  private run(command: number, asked: CborMap): CborMap {
    if (command === 1) return this.makeCredential(asked)
    if (command === 2) return this.getAssertion(asked)
    if (command === 4) return this.info()
    if (command === 6) return this.clientPin(asked)
    throw new Refused(Status.unknown)
  }

  private info(): CborMap {
    const { pin, hmacSecret = true } = this.traits
    return new Map<Cbor, Cbor>([
      [1, ['FIDO_2_0']],
      [2, hmacSecret ? ['hmac-secret'] : []],
      [3, AAGUID],
      // biome-ignore format: pairs
      [4, new Map<Cbor, Cbor>([['rk', false], ['up', true], ['clientPin', pin !== undefined]])],
      [5, 1200],
      [6, [1]],
    ])
  }

  private clientPin(asked: CborMap): CborMap {
    const verb = asked.get(2)
    if (verb === 1) return new Map([[3, this.tries]])
    if (verb === 2) return new Map([[1, cose(this.agreement.publicKey, -25)]])
    if (verb !== 5) throw new Refused(Status.unknown)
    const key = this.sharedWith(asked.get(3) as CborMap)
    if (this.tries === 0) throw new Refused(Status.pinBlocked)
    this.tries--
    const given = cbc(key, asked.get(6) as Uint8Array, createDecipheriv)
    if (!given.equals(sha256(Buffer.from(this.traits.pin ?? '')).subarray(0, 16))) {
      throw new Refused(this.tries === 0 ? Status.pinBlocked : Status.pinInvalid)
    }
    this.tries = PIN_TRIES
    return new Map([[2, cbc(key, this.pinToken, createCipheriv)]])
  }

  private makeCredential(asked: CborMap): CborMap {
    const clientData = asked.get(1) as Uint8Array
    const relying = sha256(Buffer.from((asked.get(2) as CborMap).get('id') as string))
    const isVerified = this.verify(clientData, asked.get(8) as Uint8Array | undefined)
    if (this.traits.pin !== undefined && !isVerified) throw new Refused(Status.pinRequired)
    this.touch()
    const nonce = randomBytes(32)
    const id = Buffer.concat([nonce, hmac(this.master, relying, nonce)])
    const wanted = (asked.get(6) as CborMap | undefined)?.get('hmac-secret') === true
    const flags = Flag.present | Flag.attested | (isVerified ? Flag.verified : 0) | (wanted ? Flag.extended : 0)
    const data = Buffer.concat([
      ...[relying, Buffer.of(flags), Buffer.alloc(4), AAGUID],
      ...[Buffer.of(id.length >> 8, id.length & 255), id, encodeCbor(cose(this.signing.publicKey, -7))],
      ...(wanted ? [encodeCbor(new Map([['hmac-secret', true]]))] : []),
    ])
    const statement = new Map<Cbor, Cbor>([
      ['alg', -7],
      ['sig', this.signed(data, clientData)],
    ])
    return new Map<Cbor, Cbor>([
      [1, 'packed'],
      [2, data],
      [3, statement],
    ])
  }

  private getAssertion(asked: CborMap): CborMap {
    const relying = sha256(Buffer.from(asked.get(1) as string))
    const clientData = asked.get(2) as Uint8Array
    const isVerified = this.verify(clientData, asked.get(6) as Uint8Array | undefined)
    const allowed = (asked.get(3) as CborMap[]).map((each) => Buffer.from(each.get('id') as Uint8Array))
    const id = allowed.find((each) => hmac(this.master, relying, each.subarray(0, 32)).equals(each.subarray(32)))
    if (id === undefined) throw new Refused(Status.noCredentials)
    this.touch()
    const flags = Flag.present | Flag.extended | (isVerified ? Flag.verified : 0)
    const secret = this.secretFor(id, isVerified, (asked.get(4) as CborMap).get('hmac-secret') as CborMap)
    const data = Buffer.concat([
      ...[relying, Buffer.of(flags), Buffer.alloc(4)],
      encodeCbor(new Map([['hmac-secret', secret]])),
    ])
    const credential = new Map<Cbor, Cbor>([
      ['id', id],
      ['type', 'public-key'],
    ])
    return new Map<Cbor, Cbor>([
      [1, credential],
      [2, data],
      [3, this.signed(data, clientData)],
    ])
  }

  /** HMAC under a key of the credential, another one where the person was verified. */
  private secretFor(id: Uint8Array, isVerified: boolean, asked: CborMap): Uint8Array {
    const key = this.sharedWith(asked.get(1) as CborMap)
    const sealed = asked.get(2) as Uint8Array
    if (
      !hmac(key, sealed)
        .subarray(0, 16)
        .equals(asked.get(3) as Uint8Array)
    )
      throw new Refused(Status.pinAuthInvalid)
    const credentialKey = hmac(this.master, Buffer.of(isVerified ? 1 : 0), id)
    return cbc(key, hmac(credentialKey, cbc(key, sealed, createDecipheriv)), createCipheriv)
  }

  private verify(clientData: Uint8Array, proof: Uint8Array | undefined): boolean {
    if (proof === undefined) return false
    if (!hmac(this.pinToken, clientData).subarray(0, 16).equals(proof)) throw new Refused(Status.pinAuthInvalid)
    return true
  }

  private touch(): void {
    if (this.traits.untouched !== undefined) throw new Refused(this.traits.untouched)
    this.touches++
  }

  private signed(data: Uint8Array, clientData: Uint8Array): Uint8Array {
    return sign('sha256', Buffer.concat([data, clientData]), this.signing.privateKey)
  }

  private sharedWith(key: CborMap): Buffer {
    const [x, y] = [-2, -3].map((label) => Buffer.from(key.get(label) as Uint8Array).toString('base64url'))
    const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x!, y: y! }, format: 'jwk' })
    return sha256(diffieHellman({ publicKey, privateKey: this.agreement.privateKey }))
  }
}

/** A key of the curve P-256 as COSE writes it (RFC 9053). */
function cose(key: KeyObject, algorithm: number): CborMap {
  const { x, y } = key.export({ format: 'jwk' })
  return new Map<Cbor, Cbor>([
    [1, 2],
    [3, algorithm],
    [-1, 1],
    [-2, Buffer.from(x!, 'base64url')],
    [-3, Buffer.from(y!, 'base64url')],
  ])
}
