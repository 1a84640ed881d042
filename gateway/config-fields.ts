/** Kinds of fields in gateway.yaml. Every message completes the sentence "expected ...". */
import { isIP } from 'node:net'
import * as v from 'valibot'

export const pattern = (regex: RegExp, expectation: string): v.GenericSchema<string> =>
  v.pipe(v.string(expectation), v.regex(regex, expectation))
export const whole = (from: number, to: number): v.GenericSchema<number> => {
  const expectation = `a whole number from ${from} to ${to}`
  return v.pipe(
    v.number(expectation),
    v.integer(expectation),
    v.minValue(from, expectation),
    v.maxValue(to, expectation),
  )
}
export const path: v.GenericSchema<string> = v.pipe(v.string('a path'), v.nonEmpty('a path'))
export const ip: v.GenericSchema<string> = v.pipe(
  v.string('an IP address'),
  v.check((text) => isIP(text) !== 0, 'an IP address'),
)

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `host:port`, IPv6 in brackets. */
function splitHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-f:]+)\]|([^:[\]]+)):([0-9]{1,5})$/i.exec(text)
  if (match === null) return undefined
  const host = match[1] ?? match[2] ?? ''
  const port = Number(match[3])
  return port >= 1 && port <= 65_535 && (match[1] === undefined || isIP(host) === 6) ? { host, port } : undefined
}

export const isLoopback = ({ host }: HostPort): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host)

export const hostPort = (
  accept: (place: HostPort) => boolean,
  expectation: string,
): v.GenericSchema<string, HostPort> =>
  v.pipe(
    v.string(expectation),
    v.check((text) => {
      const place = splitHostPort(text)
      return place !== undefined && accept(place)
    }, expectation),
    v.transform((text) => splitHostPort(text)!),
  )

const units = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const
export const size: v.GenericSchema<number | string, number> = v.pipe(
  v.union([v.number(), v.string()], 'a size like 64 MiB'),
  v.transform((value) => {
    const match = /^([0-9]{1,7}) ?(KiB|MiB|GiB)$/.exec(String(value))
    return match === null ? value : Number(match[1]) * units[match[2] as keyof typeof units]
  }),
  v.number('a size like 64 MiB'),
  v.integer('a size like 64 MiB'),
  v.minValue(1, 'a size like 64 MiB'),
)

export const origin: v.GenericSchema<string> = v.pipe(
  v.string('an origin'),
  v.check((text) => isOrigin(text), 'an origin like http://127.0.0.1:8081, without a path'),
)

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, origin } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && (origin === text || `${origin}/` === text)
}

export const systemPath: v.GenericSchema<string> = pattern(
  /^[^\p{C}"'\\$;{}`]+$/u,
  'a path without quotation marks, $, ;, braces and backslashes',
)
