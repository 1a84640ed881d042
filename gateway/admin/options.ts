/** What is given on the command line, checked before anything is done. */
import { Option } from 'commander'
import { SottoError } from '#protocol/errors.ts'

export const stateOption = (whose: 'gateway' | 'node' = 'gateway'): Option =>
  new Option('--state <folder>', `the ${whose}’s state folder`).default(`${whose}-state`)
export const jsonOption = (): Option => new Option('--json', 'print one JSON value').default(false)

const misused = (what: string): SottoError => new SottoError('E_USAGE', what)

/** @throws SottoError E_USAGE */
export function wholeNumber(option: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw misused(`${option} takes a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`)
  }
}

/** Collects an option that may be given several times. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

/** The `listen` block of gateway.yaml, without certificate and key. */
export type ListenOption = { readonly https: string } | { readonly http: string } | { readonly unix: string }

/** `https://host:port`, `http://host:port` or `unix:path`. @throws SottoError E_USAGE */
export function parseListen(text: string): ListenOption {
  const match = /^(https|http):\/\/(.+?)\/?$/.exec(text)
  if (match?.[1] === 'https') return { https: withPort(match[2]!, 443) }
  if (match?.[1] === 'http') return { http: withPort(match[2]!, 80) }
  if (text.startsWith('unix:') && text.length > 5) return { unix: text.slice(5) }
  throw misused('--listen takes https://host:port, http://host:port or unix:path')
}

const withPort = (place: string, port: number): string => (/:[0-9]+$/.test(place) ? place : `${place}:${port}`)

export type DecoyOption = { readonly folder: string } | { readonly upstream: string } | { readonly accel: string }

/** A folder, the origin of a web server, or a named location of the web server in front. */
export function parseDecoy(text: string): DecoyOption {
  if (text.startsWith('@')) return { accel: text }
  return /^https?:\/\//.test(text) ? { upstream: text } : { folder: text }
}
