/** Certificate and key of a gateway that terminates TLS itself. */
import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import { generate } from 'selfsigned'
import { sha256 } from '#protocol/crypto/hash.ts'
import { stateFault, unreadable } from './store/faults.ts'
import { createFileOnce } from './store/secret-file.ts'

export interface TlsFiles {
  /** Paths of PEM files. */
  readonly certificate: string
  readonly key: string
}

export interface TlsPair {
  /** PEM. */
  readonly cert: Buffer
  readonly key: Buffer
}

/** @throws SottoError E_STATE_UNREADABLE where one is missing or not usable, or others may read the key */
export async function readTlsFiles({ certificate, key }: TlsFiles): Promise<TlsPair> {
  const [cert, secret] = [await read(certificate), await read(key)]
  const { mode } = await stat(key)
  // A group may read it: certificates are often shared that way between servers of one machine.
  if ((mode & 0o007) !== 0) throw unreadable(`Everybody may read ${key}: its mode must be 0600 or 0640.`)
  parse(cert, certificate)
  return { cert, key: secret }
}

/**
 * SHA-256 of the certificate where no public authority vouches for it: where the file's chain ends in a certificate that
 * vouches for itself and is not one of the authorities that ship with Node. undefined for all others, also where the chain
 * is not whole: a public certificate changes every few weeks.
 */
export async function certificatePin({ certificate }: Pick<TlsFiles, 'certificate'>): Promise<Uint8Array | undefined> {
  const chain = parseChain(await read(certificate), certificate)
  return isPrivate(chain) ? sha256(new Uint8Array(chain[0]!.raw)) : undefined
}

function isPrivate(chain: readonly X509Certificate[]): boolean {
  let at = chain[0]!
  // Each step goes to a certificate not yet seen, so this ends.
  for (const seen = new Set([at]); !at.checkIssued(at); seen.add(at)) {
    const issuer = chain.find((other) => !seen.has(other) && at.checkIssued(other))
    if (issuer === undefined) return false
    at = issuer
  }
  return !rootCertificates.some((root) => new X509Certificate(root).fingerprint256 === at.fingerprint256)
}

function parseChain(pem: Buffer, file: string): X509Certificate[] {
  const blocks = pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? ['']
  return blocks.map((block) => parse(Buffer.from(block, 'latin1'), file))
}

/** Ten years, P-256; written once, the key with mode 0600. */
export async function createSelfSigned(domain: string, { certificate, key }: TlsFiles, now: Date): Promise<void> {
  const name = isIP(domain) === 0 ? { type: 2 as const, value: domain } : { type: 7 as const, ip: domain }
  const pems = await generate([{ name: 'commonName', value: domain }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: now,
    notAfterDate: new Date(now.getTime() + 3_650 * 86_400_000),
    extensions: [{ name: 'subjectAltName', altNames: [name] }],
  })
  await createFileOnce(key, pems.private, 0o600)
  await createFileOnce(certificate, pems.cert, 0o644)
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw stateFault(error, `read ${file}`)
  }
}

function parse(pem: Buffer, file: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw unreadable(`${file} is not a certificate in PEM form.`, cause)
  }
}
