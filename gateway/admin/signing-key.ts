/**
 * The key that signs packs on the operator's machine, and its certificate:
 *
 *     pack-signing.key    Ed25519 seed                                    0600
 *     pack-signing.cert   the root key's word for it, good for a while
 *
 * The root key itself may be anywhere: certificates are made of public values only, which travel as lines of text.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fastEqual } from '#protocol/bytes.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { SottoError } from '#protocol/errors.ts'
import type { PackCertificate } from '#protocol/pack.ts'
import { CERTIFICATE_LENGTH, certifyPackKey, encodeCertificate, openCertificate } from '#protocol/pack.ts'
import { rootKind } from '../state.ts'
import {
  createSecretFile,
  parsePublicLine,
  publicLine,
  readPublicFile,
  readSecretFile,
  replacePublicFile,
  type SecretKind,
} from '../store/secret-file.ts'

const signingKind: SecretKind = { name: 'pack-signing-key', length: 32 }
const publicKind: SecretKind = { name: 'pack-signing-public', length: 32 }
const certificateKind: SecretKind = { name: 'pack-certificate', length: CERTIFICATE_LENGTH }

const keyFile = (folder: string): string => join(folder, 'pack-signing.key')
const certificateFile = (folder: string): string => join(folder, 'pack-signing.cert')
/** Clocks of members differ: what begins now began a while ago. */
export const CLOCK_SECONDS = 3_600
const DAY_SECONDS = 86_400

const noKey = (what: string): SottoError => new SottoError('E_PACK_KEY', what)

/** The public half of the signing key, as a line; makes the key where there is none. */
export async function signingPublicLine(folder: string): Promise<string> {
  if (!existsSync(keyFile(folder))) await createSecretFile(keyFile(folder), signingKind, randomBytes(32))
  return publicLine(publicKind, ed25519PublicKey(await readSecretFile(keyFile(folder), signingKind)))
}

/**
 * A certificate for the key in `line`, as a line. Needs the root key and nothing else: for a machine without network.
 * @throws SottoError E_PACK_KEY, E_STATE_UNREADABLE
 */
export async function certify(line: string, rootFile: string, days: number, now: number): Promise<string> {
  const key = parsePublicLine(line, publicKind)
  if (key === undefined) throw noKey('This is no public half of a signing key.')
  if (!existsSync(rootFile)) throw noKey(`There is no root key in ${rootFile}.`)
  const from = Math.floor(now / 1000) - CLOCK_SECONDS
  const seed = await readSecretFile(rootFile, rootKind)
  return publicLine(
    certificateKind,
    encodeCertificate(certifyPackKey(seed, { key, from, until: from + days * DAY_SECONDS })),
  )
}

/**
 * Puts a certificate beside the signing key.
 * @param root public root key of this gateway
 * @throws SottoError E_PACK_KEY where it is none, or is for another key or of another root
 */
export async function installCertificate(folder: string, line: string, root: Uint8Array): Promise<PackCertificate> {
  const bytes = parsePublicLine(line, certificateKind)
  if (bytes === undefined) throw noKey('This is no certificate of a signing key.')
  const certificate = await requireOurs(folder, bytes, root)
  await replacePublicFile(certificateFile(folder), certificateKind, bytes)
  return certificate
}

async function requireOurs(folder: string, bytes: Uint8Array, root: Uint8Array): Promise<PackCertificate> {
  const certificate = openCertificate(bytes, root)
  if (certificate === undefined) throw noKey('The certificate is not by the root key of this gateway.')
  if (!existsSync(keyFile(folder))) throw noKey('There is no signing key here.')
  const own = ed25519PublicKey(await readSecretFile(keyFile(folder), signingKind))
  if (!fastEqual(certificate.key, own)) throw noKey('The certificate is for another signing key.')
  return certificate
}

export interface SigningKey {
  readonly seed: Uint8Array
  readonly certificate: PackCertificate
}

/** Key and certificate, good at `now`. @throws SottoError E_PACK_KEY, E_STATE_UNREADABLE */
export async function readSigningKey(folder: string, root: Uint8Array, now: number): Promise<SigningKey> {
  if (!existsSync(keyFile(folder)) || !existsSync(certificateFile(folder))) {
    throw noKey('No signing key of this gateway has a certificate yet.')
  }
  const certificate = await requireOurs(folder, await readPublicFile(certificateFile(folder), certificateKind), root)
  const second = Math.floor(now / 1000)
  if (second >= certificate.until || second < certificate.from) {
    throw noKey('The certificate of the signing key is not valid now.')
  }
  return { seed: await readSecretFile(keyFile(folder), signingKind), certificate }
}

/** When the certificate ends, Unix seconds; undefined where there is none that could be used. */
export async function certificateEnd(folder: string, root: Uint8Array): Promise<number | undefined> {
  if (!existsSync(certificateFile(folder))) return undefined
  const bytes = await readPublicFile(certificateFile(folder), certificateKind)
  return (await requireOurs(folder, bytes, root).catch(() => undefined))?.until
}
