/**
 * What a browser shows of itself in TLS and HTTP/2, as data captured from the real one by
 * `npm run -s lab -- fingerprint --capture`. Numbers stand in hexadecimal; `grease` is a value drawn for each connection
 * (RFC 8701).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'

export interface BrowserProfile {
  readonly family: 'chromium' | 'firefox'
  /** Major version, and the whole one of the browser that was captured. */
  readonly version: string
  readonly build: string
  /** As Node names it. */
  readonly os: string
  /** Day of the capture, `2026-11-28`. */
  readonly captured: string
  /** JA4 of this browser: what a dialer may show. */
  readonly ja4: { readonly fresh: readonly string[]; readonly resumed: readonly string[] }
  readonly tls: {
    readonly ciphers: readonly string[]
    readonly groups: readonly string[]
    readonly shares: readonly string[]
    readonly signatures: readonly string[]
    readonly pointFormats: readonly number[]
    readonly versions: readonly string[]
    readonly alpn: readonly string[]
    /** Drawn anew for each connection, or always this one. */
    readonly order: 'drawn' | 'fixed'
    /** Type and content; null where it differs from connection to connection. */
    readonly extensions: readonly (readonly [string, string | null])[]
    /** Lengths that the extension encrypted_client_hello has, octets. */
    readonly echLengths: readonly number[]
  }
  readonly http2: {
    /** Identifiers and values in the order of the wire. */
    readonly settings: readonly (readonly [number, number])[]
    /** Increment of the connection's first WINDOW_UPDATE. */
    readonly window: number
    readonly pseudo: readonly string[]
    readonly firstStream: number
    /** HEADERS carry a priority of RFC 7540. */
    readonly priority: boolean
    /** Increment of the WINDOW_UPDATE that follows each request's HEADERS; 0 where there is none. */
    readonly streamWindow: number
  }
}

const hexes = v.array(v.pipe(v.string(), v.regex(/^(grease|[0-9a-f]{4})$/)))
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const hash = v.pipe(v.string(), v.regex(/^t13d\d{4}(h1|h2|00)_[0-9a-f]{12}_[0-9a-f]{12}$/))

const schema: v.GenericSchema<unknown, BrowserProfile> = v.strictObject({
  family: v.picklist(['chromium', 'firefox']),
  version: v.pipe(v.string(), v.regex(/^\d+$/)),
  build: v.string(),
  os: v.string(),
  captured: v.pipe(v.string(), v.isoDate()),
  ja4: v.strictObject({ fresh: v.array(hash), resumed: v.array(hash) }),
  tls: v.strictObject({
    ciphers: hexes,
    groups: hexes,
    shares: hexes,
    signatures: hexes,
    pointFormats: v.array(count),
    versions: hexes,
    alpn: v.array(v.string()),
    order: v.picklist(['drawn', 'fixed']),
    extensions: v.array(v.strictTuple([v.string(), v.nullable(v.pipe(v.string(), v.regex(/^([0-9a-f]{2})*$/)))])),
    echLengths: v.array(count),
  }),
  http2: v.strictObject({
    settings: v.array(v.strictTuple([count, count])),
    window: count,
    pseudo: v.array(v.string()),
    firstStream: count,
    priority: v.boolean(),
    streamWindow: count,
  }),
})

export const profileFile = (family: BrowserProfile['family']): string =>
  join(import.meta.dirname, 'profiles', `${family}.json`)

/** The one that ships. @throws an error of node:fs or valibot where the file was damaged */
export function loadProfile(family: BrowserProfile['family']): BrowserProfile {
  return v.parse(schema, JSON.parse(readFileSync(profileFile(family), 'utf8')))
}
