/** The certificate of a gateway that gets it itself, put together: port 80, the authority, the file. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { GatewayConfig } from '../config.ts'
import { unreadable } from '../store/faults.ts'
import type { TlsFiles } from '../tls-files.ts'
import type { AcmeConfig } from './acme-config.ts'
import { CertificateKeeper } from './keeper.ts'
import { orderCertificate } from './order.ts'
import { openPort80 } from './port-80.ts'

const ACCOUNT_KEY_FILE = 'acme-account.key'

export interface Certificates {
  /** Called whenever there is a new certificate in the file. */
  onRenewed: () => void
  stop(): Promise<void>
}

/** Resolves once there is a certificate. @throws SottoError E_PORT_TAKEN, E_CONFIG, E_STATE_UNREADABLE, E_DISK_FULL */
export async function keepCertificate(
  folder: string,
  { domain, port }: Pick<GatewayConfig, 'domain' | 'port'>,
  acme: AcmeConfig,
  files: TlsFiles,
  log: (line: string) => void,
): Promise<Certificates> {
  const authority =
    acme.authority === undefined ? undefined : await readFile(acme.authority).catch(missing(acme.authority))
  const port80 = await openPort80(acme.http, `https://${domain}${port === 443 ? '' : `:${port}`}`)
  const { directory, email } = acme
  const keeper = new CertificateKeeper({
    ...{ domain, files, accountKey: join(folder, ACCOUNT_KEY_FILE), log },
    now: () => Date.now(),
    schedule: (afterMs, run) => {
      const timer = setTimeout(run, afterMs)
      return () => clearTimeout(timer)
    },
    order: (keys) => orderCertificate({ directory, email, domain, authority, proofs: port80, ...keys }),
    renewed: () => certificates.onRenewed(),
  })
  const certificates: Certificates = {
    onRenewed: () => {},
    stop: async () => {
      keeper.stop()
      await port80.server.close(0)
    },
  }
  try {
    await keeper.start()
  } catch (error) {
    await certificates.stop()
    throw error
  }
  return certificates
}

const missing = (file: string) => (cause: unknown) => {
  throw unreadable(`Could not read ${file}.`, cause)
}
