/** An authority of the test's own, and a certificate it has issued, as an operator's files: chain and key. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generate } from 'selfsigned'

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
  /** PEM of the authority. */
  readonly authority: string
}

export interface CertificateInput {
  readonly folder: string
  readonly domain: string
  readonly days?: number
}

export async function issueCertificate({ folder, domain, days = 90 }: CertificateInput): Promise<CertificateFiles> {
  const common = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const
  const authority = await generate([{ name: 'commonName', value: 'Authority of a test' }], {
    ...common,
    extensions: [{ name: 'basicConstraints', cA: true }],
  })
  const issued = await generate([{ name: 'commonName', value: domain }], {
    ...common,
    notBeforeDate: new Date(Date.now() - 3_600_000),
    notAfterDate: new Date(Date.now() + days * 86_400_000),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: domain }] }],
    ca: { key: authority.private, cert: authority.cert },
  })
  const files = { certificate: join(folder, 'fullchain.pem'), key: join(folder, 'privkey.pem') }
  await writeFile(files.certificate, `${issued.cert.trim()}\n${authority.cert.trim()}\n`)
  await writeFile(files.key, issued.private, { mode: 0o600 })
  return { ...files, authority: authority.cert }
}
