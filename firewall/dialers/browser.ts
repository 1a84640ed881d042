/**
 * Dialers that look like a browser: its ClientHello as far as OpenSSL can be brought to it, its HTTP/2 and HTTP/1.1 to
 * the octet. What is left over is in `knownLeaks`. They carry templates that claim the browser, and no others.
 */
import type { DialerDescription } from '../permit.ts'
import { BrowserClient } from './browser-client.ts'
import { decoded } from './decoded.ts'
import type { Dialer } from './dialer.ts'
import { pooled } from './pooled.ts'
import type { BrowserProfile } from './profile.ts'
import type { Connector } from './tls-connector.ts'

export interface BrowserDialerOptions {
  readonly profile: BrowserProfile
  /** With the style of the profile. */
  readonly connector: Connector
  /** Where the ClientHello differs from the browser's. */
  readonly leaks: readonly string[]
  /** Milliseconds between two pieces of an answer. */
  readonly stallMs?: number
  /** Milliseconds from the beginning of an answer to its end. */
  readonly answerMs?: number
  /** Milliseconds between the beginnings of two connections to one endpoint. */
  readonly apartMs?: number
}

export function browserDialer({ profile, connector, leaks, stallMs, answerMs, apartMs }: BrowserDialerOptions): Dialer {
  const dialer = pooled({
    ...{ connector, stallMs, answerMs, apartMs, describe: () => describeProfile(profile, leaks) },
    open: (target, connect, events) => new BrowserClient(profile, target, connect, events),
  })
  return {
    ...dialer,
    exchange: async (target, request, options) => decoded(await dialer.exchange(target, request, options), target.name),
  }
}

/** False where OpenSSL cannot resume a session as the browser does: Firefox leaves out session_ticket then. */
export const resumes = (profile: BrowserProfile): boolean => profile.family === 'chromium'

export function describeProfile(profile: BrowserProfile, leaks: readonly string[]): DialerDescription {
  const { family, version, os, tls } = profile
  return { family, version, os, alpn: tls.alpn, knownLeaks: [...leaks, ...otherLeaks(profile)] }
}

function otherLeaks(profile: BrowserProfile): string[] {
  return [
    ...(resumes(profile) ? [] : ['TLS: no session is resumed, which this browser does']),
    ...(profile.family === 'chromium' ? [] : ['HTTP/2: header blocks are coded as Node codes them']),
    'HTTP/2, POST of more than 16,375 octets: frames of 16,384 octets take two records',
    ...(process.platform === profile.os
      ? []
      : [`TCP: this is ${process.platform}, and the templates say ${profile.os}`]),
  ]
}
