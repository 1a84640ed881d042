/** A certificate of our own for localhost, as the servers of benchmarks and trials use it. */
import { generate } from 'selfsigned'

export async function makeCertificate(): Promise<{ certificate: string; key: string }> {
  const notAfterDate = new Date(Date.now() + 397 * 86_400_000)
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    curve: 'P-256',
    notAfterDate,
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  return { certificate: made.cert, key: made.private }
}
