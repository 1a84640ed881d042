/**
 * What blocks traffic that looks like nothing: the rules of the Great Firewall for the first payload of a client, as measured
 * by Wu and others (USENIX Security 2023). Whoever fits none of the five exemptions is blocked.
 */

export type Exemption = 'popcount' | 'printable prefix' | 'printable half' | 'printable run' | 'protocol'

/** undefined: blocked. */
export function exemptionOf(payload: Uint8Array): Exemption | undefined {
  const ones = payload.reduce((sum, octet) => sum + bits(octet), 0) / Math.max(1, payload.length)
  const printable = [...payload].map((octet) => octet >= 0x20 && octet <= 0x7e)
  // Ex5 first: it costs least and names most.
  if (isKnownProtocol(payload)) return 'protocol'
  if (ones <= 3.4 || ones >= 4.6) return 'popcount'
  if (printable.length >= 6 && printable.slice(0, 6).every(Boolean)) return 'printable prefix'
  if (printable.filter(Boolean).length * 2 > printable.length) return 'printable half'
  return longestRun(printable) > 20 ? 'printable run' : undefined
}

function bits(octet: number): number {
  let count = 0
  for (let rest = octet; rest > 0; rest &= rest - 1) count++
  return count
}

/** A record of TLS, or a request of HTTP. */
function isKnownProtocol(payload: Uint8Array): boolean {
  const [type = 0, major = 0, minor = 0] = payload
  if ((type === 0x16 || type === 0x17) && major === 3 && minor <= 9) return true
  return /^(GET |PUT |POST|HEAD)/.test(Buffer.from(payload.subarray(0, 4)).toString('latin1'))
}

function longestRun(flags: readonly boolean[]): number {
  let [longest, run] = [0, 0]
  for (const flag of flags) {
    run = flag ? run + 1 : 0
    longest = Math.max(longest, run)
  }
  return longest
}
