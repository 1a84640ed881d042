/** Where a ClientHello differs from what the browser of a profile sends, in words: what JA4 does not see, others may. */
import type { ClientHello } from './client-hello.ts'
import { isGrease } from './client-hello.ts'
import type { BrowserProfile } from './profile.ts'

const PSK = 0x0029
const hex = (value: number): string => (isGrease(value) ? 'grease' : value.toString(16).padStart(4, '0'))

/** Empty where nothing is known to differ. `hello` of a fresh connection. */
export function differences({ tls }: BrowserProfile, hello: ClientHello): string[] {
  const lists: readonly (readonly [string, readonly (string | number)[], readonly (string | number)[]])[] = [
    ['cipher suites', tls.ciphers, hello.ciphers.map(hex)],
    ['groups', tls.groups, hello.groups.map(hex)],
    ['key shares', tls.shares, hello.shares.map(([group]) => hex(group))],
    ['signature algorithms', tls.signatures, hello.signatures.map(hex)],
    ['versions', tls.versions, hello.versions.map(hex)],
    ['point formats', tls.pointFormats, hello.pointFormats],
    ['protocols', tls.alpn, hello.alpn],
  ]
  const found = lists
    .filter(([, theirs, ours]) => theirs.join() !== ours.join())
    .map(([name, theirs, ours]) => `ClientHello, ${name}: ${said(theirs, ours)}`)
  return [...found, ...orderOf(tls, hello)]
}

/** What is missing and what is too much, or both lists where it is their order. */
function said(theirs: readonly (string | number)[], ours: readonly (string | number)[]): string {
  const missing = theirs.filter((each) => !ours.includes(each))
  const more = ours.filter((each) => !theirs.includes(each))
  const parts = [
    ...(missing.length > 0 ? [`without ${missing.join(' ')}`] : []),
    ...(more.length > 0 ? [`with ${more.join(' ')}`] : []),
  ]
  return parts.length > 0 ? parts.join(', ') : `${ours.join(' ')} instead of ${theirs.join(' ')}`
}

function orderOf(tls: BrowserProfile['tls'], hello: ClientHello): string[] {
  const types = hello.extensions.map(({ type }) => type).filter((type) => type !== PSK)
  const theirs = tls.extensions.map(([type]) => type)
  const found: string[] = []
  if (types.map(hex).sort().join() !== [...theirs].sort().join()) {
    found.push(`ClientHello, extensions: ${said(theirs, types.map(hex))}`)
  }
  if (tls.order === 'drawn' && hex(types.at(-1)!) !== theirs.at(-1)) {
    found.push(
      'ClientHello, order of extensions: those that OpenSSL writes itself stand last and in its order, only the others are drawn',
    )
  }
  if (tls.order === 'fixed' && types.map(hex).join() !== theirs.join()) {
    found.push('ClientHello, order of extensions: those that OpenSSL writes itself stand last and in its order')
  }
  return found
}
