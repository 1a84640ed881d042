/**
 * Keeps the certificate of a gateway that stands alone: gets it where there is none, renews it once a third of its time is
 * left, and goes on trying where that fails, ever more seldom. The certificate's key stays the same, so that a file that is
 * half way replaced never fits the other.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import type { Millis } from '#protocol/bytes.ts'
import { stateFault } from '../store/faults.ts'
import { createFileOnce } from '../store/secret-file.ts'
import type { TlsFiles } from '../tls-files.ts'
import type { OrderInput } from './order.ts'

const MINUTE_MS = 60_000
/** How often the certificate is looked at. */
const LOOK_MS = 60 * MINUTE_MS
/** After a failure; doubled each time. Authorities allow a handful of failures an hour. */
const RETRY_MS = { first: 15 * MINUTE_MS, longest: 720 * MINUTE_MS } as const

export interface KeeperInput {
  readonly domain: string
  readonly files: TlsFiles
  /** PEM file of the account's key. */
  readonly accountKey: string
  readonly now: () => Millis
  readonly schedule: (afterMs: number, run: () => void) => () => void
  readonly order: (keys: Pick<OrderInput, 'accountKey' | 'key'>) => Promise<string>
  /** There is a new certificate in the file. */
  readonly renewed: () => void
  /** One line for the operator. */
  readonly log: (line: string) => void
}

/** Milliseconds until a certificate is to be renewed; 0 and less: now. */
export function renewalIn(pem: Uint8Array, key: Buffer, domain: string, now: Millis): number {
  const certificate = new X509Certificate(pem)
  if (certificate.checkHost(domain) === undefined || !certificate.checkPrivateKey(createPrivateKey(key))) return 0
  const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()]
  return from + ((to - from) * 2) / 3 - now
}

/** Whether there is a certificate, and it is of the key beside it. */
async function isUsable({ certificate, key }: TlsFiles): Promise<boolean> {
  try {
    const [pem, secret] = await Promise.all([readFile(certificate), readFile(key)])
    return new X509Certificate(pem).checkPrivateKey(createPrivateKey(secret))
  } catch {
    return false
  }
}

export class CertificateKeeper {
  private readonly input: KeeperInput
  private failures = 0
  private stopped = false
  private cancel: (() => void) | undefined

  constructor(input: KeeperInput) {
    this.input = input
  }

  /** Resolves once there is a certificate that can be used, were it one that has ended. */
  async start(): Promise<void> {
    const { files, accountKey } = this.input
    const { default: acme } = await import('acme-client')
    for (const file of [accountKey, files.key]) {
      if (!existsSync(file)) await createFileOnce(file, String(await acme.crypto.createPrivateEcdsaKey('P-256')), 0o600)
    }
    if (await isUsable(files)) return this.look()
    await new Promise<void>((resolve) => this.look(resolve))
  }

  stop(): void {
    this.stopped = true
    this.cancel?.()
  }

  private look(done: () => void = () => {}): void {
    if (this.stopped) return
    void this.attempt().then(async (waitMs) => {
      if (await isUsable(this.input.files)) done()
      if (!this.stopped) this.cancel = this.input.schedule(waitMs, () => this.look(done))
    })
  }

  /** Milliseconds until the next look. */
  private async attempt(): Promise<number> {
    const { files, domain, now, log } = this.input
    try {
      const found = await readFile(files.certificate).catch(() => undefined)
      const left = found === undefined ? 0 : renewalIn(found, await readFile(files.key), domain, now())
      if (left > 0) return Math.min(left, LOOK_MS)
      log(`asking for a certificate for ${domain}`)
      await this.order()
      this.failures = 0
      return LOOK_MS
    } catch (error) {
      const waitMs = Math.min(RETRY_MS.first * 2 ** this.failures++, RETRY_MS.longest)
      const code = error instanceof Error && 'code' in error ? `${error.code}: ` : ''
      log(
        `${code}${error instanceof Error ? error.message : error}; next try in ${Math.round(waitMs / MINUTE_MS)} minutes`,
      )
      return waitMs
    }
  }

  private async order(): Promise<void> {
    const { files, accountKey, order, renewed, log, domain } = this.input
    const [account, key] = await Promise.all([readFile(accountKey), readFile(files.key)])
    const pem = await order({ accountKey: account, key })
    new X509Certificate(pem)
    try {
      await writeFile(`${files.certificate}.draft`, pem, { mode: 0o644, flush: true })
      await rename(`${files.certificate}.draft`, files.certificate)
    } catch (error) {
      throw stateFault(error, `write ${files.certificate}`)
    }
    log(`certificate for ${domain} until ${new X509Certificate(pem).validToDate.toISOString().slice(0, 10)}`)
    renewed()
  }
}
