/**
 * Template packs: a set of templates that the holder of the root key vouches for. Spec section 14.
 *
 *     pack        = "sotto/1/pack" 0x0a || certificate || manifest || count 1 || { length 4 || text }* || signature 64
 *     certificate = signing key 32 || from 4 || until 4 || signature 64 by the root key            104 octets
 *     manifest    = serial 4 || floor 4 || from 4 || until 4 || ttl 4 || overlap 4 || canary 2      26 octets
 *
 * Every field has one place and one spelling, and both signatures are strict: one content has one sequence of octets, and
 * its SHA-256 names it. Times are Unix seconds. Texts are templates in YAML; what they say is the engine's business. There
 * is no field for an address, and none that could grow into one.
 */
import type { Millis } from './bytes.ts'
import { concat, fastEqual, fromUtf8, readU16, readU32, u16, u32, utf8 } from './bytes.ts'
import { KEY_LENGTH } from './constants.ts'
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from './crypto/ed25519.ts'
import { sha256 } from './crypto/hash.ts'
import { SottoError } from './errors.ts'

/** What a pack may hold: a gateway that turned hostile can offer anything, and a signing key can be stolen. */
export interface PackLimits {
  /** Octets. Attack: memory and disk of every member. Sixteen templates of the usual 5 kB are a third of it. */
  readonly bytes: number
  /** Attack: every request of a stranger is compared with every live template. */
  readonly templates: number
  /** Octets of one template; the engine's own bound. */
  readonly templateBytes: number
  /** Seconds a pack, and a certificate, may be valid. Attack: a stolen signing key that is good for ever. */
  readonly validSeconds: number
  /** Seconds between two questions for the pointer, least and most. Attack: members that ask all the time, or never. */
  readonly ttlSeconds: readonly [number, number]
  /** Seconds a replaced pack stays accepted, at most. Attack: a gateway that carries old templates for ever. */
  readonly overlapSeconds: number
}

export const PackLimits: PackLimits = Object.freeze({
  bytes: 262_144,
  templates: 16,
  templateBytes: 65_536,
  validSeconds: 34_560_000,
  ttlSeconds: [60, 604_800] as const,
  overlapSeconds: 2_592_000,
})

/** Shares are counted in ten-thousandths of the members. */
export const WHOLE_SHARE = 10_000
export const PACK_HASH_LENGTH = 32

export interface PackManifest {
  /** Rises with every pack, from 1. */
  readonly serial: number
  /** Once this pack is promoted, none with a lower serial is accepted any more. At most the pack's own serial. */
  readonly floor: number
  /** Valid from this Unix second on, up to and without the other. */
  readonly from: number
  readonly until: number
  /** Seconds after which a client asks which pack it shall use, if it was not told meanwhile. */
  readonly ttl: number
  /** Seconds for which the gateway still accepts this pack after another has taken its place. */
  readonly overlap: number
  /** Share of the members that try it first, in ten-thousandths. */
  readonly canary: number
}

/** A short-lived key that may sign packs, vouched for by the root key. */
export interface PackCertificate {
  readonly key: Uint8Array
  readonly from: number
  readonly until: number
  readonly signature: Uint8Array
}

export interface Pack {
  /** SHA-256 of all its octets. */
  readonly hash: Uint8Array
  readonly certificate: PackCertificate
  readonly manifest: PackManifest
  /** YAML of each template, best first. */
  readonly templates: readonly string[]
}

const SIGNATURE_LENGTH = 64
export const CERTIFICATE_LENGTH: number = KEY_LENGTH + 4 + 4 + SIGNATURE_LENGTH
const MANIFEST_LENGTH = 26
const MAGIC = utf8('sotto/1/pack\n')
const KEY_LABEL = utf8('sotto/1/pack-key\n')
const CONTENT_LABEL = utf8('sotto/1/pack-content\n')

/** @throws RangeError where the window is empty or longer than `PackLimits.validSeconds` */
export function certifyPackKey(
  rootSeed: Uint8Array,
  { key, from, until }: { readonly key: Uint8Array; readonly from: number; readonly until: number },
): PackCertificate {
  if (key.length !== KEY_LENGTH || !isWindow(from, until)) throw new RangeError('a certificate with a bad field')
  const body = concat(key, u32(from), u32(until))
  return { key, from, until, signature: ed25519Sign(rootSeed, concat(KEY_LABEL, body)) }
}

export function encodeCertificate({ key, from, until, signature }: PackCertificate): Uint8Array {
  return concat(key, u32(from), u32(until), signature)
}

/** undefined where the octets are no certificate, or not one of this root key. */
export function openCertificate(bytes: Uint8Array, root: Uint8Array): PackCertificate | undefined {
  if (bytes.length !== CERTIFICATE_LENGTH) return undefined
  const certificate = certificateAt(bytes.slice(), 0)
  return isVouched(certificate, root) ? certificate : undefined
}

const certificateAt = (bytes: Uint8Array, at: number): PackCertificate => ({
  key: bytes.subarray(at, at + KEY_LENGTH),
  from: readU32(bytes, at + KEY_LENGTH),
  until: readU32(bytes, at + KEY_LENGTH + 4),
  signature: bytes.subarray(at + KEY_LENGTH + 8, at + CERTIFICATE_LENGTH),
})

function isVouched({ key, from, until, signature }: PackCertificate, root: Uint8Array): boolean {
  return isWindow(from, until) && ed25519Verify(root, signature, concat(KEY_LABEL, key, u32(from), u32(until)))
}

const isWindow = (from: number, until: number): boolean => from < until && until - from <= PackLimits.validSeconds

/**
 * Octets of a pack.
 * @param signingSeed secret of the certificate's key
 * @throws RangeError where it holds something that `openPack` would refuse
 */
export function sealPack(
  signingSeed: Uint8Array,
  { certificate, manifest, templates }: Omit<Pack, 'hash'>,
): Uint8Array {
  const fault = manifestFault(manifest, certificate) ?? templatesFault(templates)
  if (fault !== undefined) throw new RangeError(`a pack with a bad ${fault}`)
  if (!fastEqual(ed25519PublicKey(signingSeed), certificate.key)) throw new RangeError('a certificate of another key')
  const { serial, floor, from, until, ttl, overlap, canary } = manifest
  const content = concat(
    MAGIC,
    encodeCertificate(certificate),
    ...[serial, floor, from, until, ttl, overlap].map(u32),
    u16(canary),
    Uint8Array.of(templates.length),
    ...templates.map(utf8).flatMap((text) => [u32(text.length), text]),
  )
  const pack = concat(content, ed25519Sign(signingSeed, concat(CONTENT_LABEL, content)))
  if (pack.length > PackLimits.bytes) throw new RangeError(`a pack of ${pack.length} octets`)
  return pack
}

function templatesFault(templates: readonly string[]): string | undefined {
  if (templates.length === 0 || templates.length > PackLimits.templates) return 'number of templates'
  const isBad = (text: string): boolean => text.length === 0 || utf8(text).length > PackLimits.templateBytes
  return templates.some(isBad) ? 'template length' : undefined
}

/** Name of the first field outside its bounds. */
function manifestFault(manifest: PackManifest, certificate: PackCertificate): string | undefined {
  const { serial, floor, from, until, ttl, overlap, canary } = manifest
  const inside = (value: number, least: number, most: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most
  if (!inside(serial, 1, 0xffffffff)) return 'serial'
  if (!inside(floor, 0, serial)) return 'floor'
  if (!inside(from, 0, 0xffffffff) || !inside(until, 0, 0xffffffff) || !isWindow(from, until)) return 'window'
  // A stolen signing key is of no use beyond its certificate, not even for packs that it dated ahead.
  if (from < certificate.from || until > certificate.until) return 'window (beyond the certificate)'
  if (!inside(ttl, ...PackLimits.ttlSeconds)) return 'ttl'
  if (!inside(overlap, 0, PackLimits.overlapSeconds)) return 'overlap'
  return inside(canary, 1, WHOLE_SHARE) ? undefined : 'canary share'
}

export interface PackChecks {
  /** Ed25519 public key of the invite. */
  readonly root: Uint8Array
  readonly now: Millis
  /** Lowest serial that is still accepted. */
  readonly floor: number
}

/**
 * The pack in `bytes`, with everything checked that can be checked without the engine. Works on a copy of its own.
 * @throws SottoError E_PACK_FORMAT, E_PACK_SIGNATURE, E_PACK_EXPIRED, E_PACK_FLOOR
 */
export function openPack(bytes: Uint8Array, { root, now, floor }: PackChecks): Pack {
  const pack = parsePack(bytes)
  const { manifest } = pack
  if (!isAuthentic(bytes, pack, root)) {
    throw new SottoError('E_PACK_SIGNATURE', 'This pack is not signed under the root key of this gateway.')
  }
  const second = Math.floor(now / 1000)
  if (second < manifest.from) throw expired(`is valid from ${dayOf(manifest.from)} on`)
  if (second >= manifest.until) throw expired(`was valid until ${dayOf(manifest.until)}`)
  if (manifest.serial < floor) {
    throw new SottoError('E_PACK_FLOOR', `Pack ${manifest.serial} is older than the floor, ${floor}.`)
  }
  return pack
}

const expired = (when: string): SottoError => new SottoError('E_PACK_EXPIRED', `This pack ${when}.`)
const dayOf = (second: number): string => new Date(second * 1000).toISOString().slice(0, 10)

function isAuthentic(bytes: Uint8Array, { certificate }: Pack, root: Uint8Array): boolean {
  const content = bytes.subarray(0, -SIGNATURE_LENGTH)
  const signature = bytes.slice(-SIGNATURE_LENGTH)
  return isVouched(certificate, root) && ed25519Verify(certificate.key, signature, concat(CONTENT_LABEL, content))
}

/**
 * What a pack says, by its form alone: no signature was checked.
 * @throws SottoError E_PACK_FORMAT
 */
export function parsePack(source: Uint8Array): Pack {
  if (source.length > PackLimits.bytes) throw malformed('it is too long')
  const bytes = source.slice()
  const manifestAt = MAGIC.length + CERTIFICATE_LENGTH
  const listAt = manifestAt + MANIFEST_LENGTH
  if (bytes.length <= listAt + SIGNATURE_LENGTH) throw malformed('it is cut off')
  if (!fastEqual(bytes.subarray(0, MAGIC.length), MAGIC)) throw malformed('it does not begin as one')
  const certificate = certificateAt(bytes, MAGIC.length)
  const manifest = manifestAtOffset(bytes, manifestAt)
  const fault = manifestFault(manifest, certificate)
  if (fault !== undefined) throw malformed(`its ${fault} is out of bounds`)
  return { hash: sha256(bytes), certificate, manifest, templates: templatesAt(bytes, listAt) }
}

function manifestAtOffset(bytes: Uint8Array, at: number): PackManifest {
  const [serial, floor, from, until, ttl, overlap] = [0, 4, 8, 12, 16, 20].map((offset) => readU32(bytes, at + offset))
  return {
    ...{ serial: serial!, floor: floor!, from: from!, until: until!, ttl: ttl!, overlap: overlap! },
    canary: readU16(bytes, at + 24),
  }
}

/** Lengths are checked against what is there before anything is taken. */
function templatesAt(bytes: Uint8Array, listAt: number): string[] {
  const end = bytes.length - SIGNATURE_LENGTH
  const count = bytes[listAt]!
  if (count === 0 || count > PackLimits.templates) throw malformed('its number of templates is out of bounds')
  const templates: string[] = []
  let at = listAt + 1
  for (let i = 0; i < count; i++) {
    const length = at + 4 <= end ? readU32(bytes, at) : 0
    at += 4
    if (length === 0 || length > PackLimits.templateBytes || at + length > end) throw malformed('a template is cut off')
    const text = fromUtf8(bytes.subarray(at, at + length))
    if (text === undefined) throw malformed('a template is no text')
    templates.push(text)
    at += length
  }
  if (at !== end) throw malformed('something stands behind its templates')
  return templates
}

const malformed = (why: string): SottoError => new SottoError('E_PACK_FORMAT', `This is no template pack: ${why}.`)
