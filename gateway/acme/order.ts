/** A certificate from an authority that speaks ACME (RFC 8555), proven by HTTP-01 (section 8.3). */
import { Agent } from 'node:https'
import { isSottoError, SottoError } from '#protocol/errors.ts'

/** Let's Encrypt, where nothing else is said. */
export const DEFAULT_DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory'

const LIMITS = {
  /** Milliseconds for one answer of the authority. */
  answerMs: 30_000,
  /** Octets of one. A chain has a few KiB. */
  answerBytes: 1_048_576,
  /** Characters of the authority's words in an error. */
  words: 300,
} as const

/** Where the authority's proofs are shown: at `/.well-known/acme-challenge/` and the token, on port 80 of the domain. */
export interface Proofs {
  show(token: string, proof: string): void
  hide(token: string): void
}

export interface OrderInput {
  readonly directory: string
  readonly email: string | undefined
  readonly domain: string
  /** PEM of the authority's own root, where it is no public one. */
  readonly authority: Buffer | undefined
  /** PEM: the account's key, and the certificate's. */
  readonly accountKey: Buffer
  readonly key: Buffer
  readonly proofs: Proofs
}

/** The chain in PEM. The library is loaded here and not before: most gateways never need it. @throws SottoError E_CERTIFICATE */
export async function orderCertificate(input: OrderInput): Promise<string> {
  const { directory, email, domain, proofs } = input
  try {
    const { default: acme } = await import('acme-client')
    Object.assign(acme.axios.defaults, {
      // Directly: what the environment says of proxies is not for this.
      proxy: false,
      timeout: LIMITS.answerMs,
      maxContentLength: LIMITS.answerBytes,
      httpsAgent: new Agent(input.authority === undefined ? {} : { ca: input.authority }),
    })
    const client = new acme.Client({ directoryUrl: directory, accountKey: input.accountKey })
    const [, csr] = await acme.crypto.createCsr({ commonName: domain, altNames: [domain] }, input.key)
    // An account that is there already: what `auto` does about one is an empty change, which authorities refuse. Where
    // there is none, or no answer, `auto` finds out, too.
    await client.createAccount({ onlyReturnExisting: true }).catch(() => undefined)
    return await client.auto({
      ...{ csr, termsOfServiceAgreed: true, challengePriority: ['http-01'] },
      ...(email === undefined ? {} : { email }),
      // The authority looks from outside; a look of our own from inside proves nothing.
      skipChallengeVerification: true,
      challengeCreateFn: async (_, { token }, proof) => proofs.show(token, proof),
      challengeRemoveFn: async (_, { token }) => proofs.hide(token),
    })
  } catch (cause) {
    if (isSottoError(cause)) throw cause
    throw new SottoError(
      'E_CERTIFICATE',
      `no certificate for ${domain} from ${new URL(directory).host} (${words(cause)})`,
      {
        cause,
      },
    )
  }
}

/** What the authority or the network said, without control characters. */
function words(cause: unknown): string {
  const text = cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : String(cause)
  return text.replaceAll(/\p{C}+/gu, ' ').slice(0, LIMITS.words)
}
