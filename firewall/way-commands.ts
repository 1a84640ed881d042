/**
 * `proxy` and `front`: the ways out are read here, by the process that keeps them, before the core runs. So what is chosen is
 * what the person chose, and the core sees neither passwords nor a way to change them.
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { fromHex } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { ProxyReach } from './dialers/dialer.ts'
import type { Console } from './join.ts'
import { WayLimits } from './limits.ts'
import { askSecret } from './prompt.ts'
import type { WayChange } from './ways.ts'

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const texts = { type: 'string', multiple: true } as const
/** Those of every command, which mean nothing here; then our own. */
const common = {
  state: text,
  'password-file': text,
  look: text,
  browser: text,
  json: flag,
  'ipv6-only': flag,
  http2: flag,
}
const ofProxy = { credentials: flag, 'credentials-file': text, pin: text }
const ofFront = { sni: text, host: text, address: texts, port: text, pin: text }

/** True where the command line changes a way out. No question for its help. */
export function wantsToChangeWays([noun, verb, ...rest]: readonly string[]): boolean {
  const asks = [verb, ...rest].some((arg) => arg === '--help' || arg === '-h')
  return (noun === 'proxy' || noun === 'front') && (verb === 'set' || verb === 'clear') && !asks
}

/** True where a pipe will be read to its end. */
export function readsCredentials(args: readonly string[]): boolean {
  return wantsToChangeWays(args) && args.includes('--credentials')
}

/**
 * What the person asks for. Credentials come from a prompt, a pipe or a file, never from the command line.
 * @throws SottoError E_USAGE, E_SECRET_IN_ARGV
 */
export async function readWayChange(args: readonly string[], console: Console): Promise<WayChange> {
  return args[0] === 'proxy' ? await readProxy(args, console) : readFront(args)
}

async function readProxy(args: readonly string[], console: Console): Promise<WayChange> {
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...args], options: { ...common, ...ofProxy }, allowPositionals: true }),
  )
  const [, verb, name, ...more] = positionals
  if (more.length > 0) throw usage('There is one proxy')
  if (verb === 'clear') return { kind: 'proxy', proxy: undefined }
  const place = proxyPlace(required(name, 'the proxy, such as socks5://proxy.example:1080'))
  const credentials = await credentialsOf(values, console)
  if (place.kind === 'tor' && credentials) throw usage('Tor wants no credentials')
  const proxy = { ...place, certificate: pinOf(values.pin), ...(credentials && { credentials }) }
  return { kind: 'proxy', proxy }
}

function readFront(args: readonly string[]): WayChange {
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...args], options: { ...common, ...ofFront }, allowPositionals: true }),
  )
  const [, verb, name, ...more] = positionals
  if (more.length > 0) throw usage('A front is for one gateway')
  const gateway = required(name, 'the gateway, as sotto status shows it')
  if (verb === 'clear') return { kind: 'front', gateway, front: undefined }
  const host = nameOf(required(values.sni, '--sni, the name that the network is to see'))
  const { address: addresses = [] } = values
  if (addresses.length > WayLimits.addresses || addresses.some((address) => isIP(address) === 0)) {
    throw usage(`--address takes an IP address, at most ${WayLimits.addresses} times`)
  }
  const reach = { host, port: portOf(values.port ?? '443'), addresses, certificate: pinOf(values.pin) }
  return { kind: 'front', gateway, front: { reach, asks: values.host === undefined ? undefined : nameOf(values.host) } }
}

function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw usage(cause instanceof Error ? cause.message.split('.')[0]! : 'the options are wrong')
  }
}

const usage = (what: string): SottoError => new SottoError('E_USAGE', `${what}.`)

function required(value: string | undefined, what: string): string {
  if (value === undefined) throw usage(`Name ${what}`)
  return value
}

/** Where the scheme says nothing else. Tor's own is that of its daemon; the browser bundle's is 9150. */
const ports = { http: 8080, https: 443, socks5: 1080, tor: 9050 } as const

function proxyPlace(given: string): Omit<ProxyReach, 'id' | 'certificate'> {
  const spelled = given === 'tor' ? 'tor://127.0.0.1' : given
  const [, kind = '', rest = ''] = /^(\w+):\/\/(.*?)\/?$/.exec(spelled) ?? []
  if (!(kind in ports)) throw usage('A proxy is http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT or tor')
  if (rest.includes('@')) {
    throw new SottoError(
      'E_SECRET_IN_ARGV',
      'A password on the command line can be read by everybody on this machine.',
      {
        next: 'Give the proxy without it, with --credentials: then it is asked for, or read from standard input.',
      },
    )
  }
  const which = kind as keyof typeof ports
  const [, address, name, port] = /^(?:\[([0-9a-f:]+)\]|([^:/?#[\]]+))(?::(\d+))?$/i.exec(rest) ?? []
  const host = nameOf(address ?? name ?? '')
  return { kind: which, name: 'the proxy', host, port: portOf(port ?? String(ports[which])), addresses: [] }
}

function nameOf(given: string): string {
  const name = given.toLowerCase()
  if (isIP(name) === 0 && !(/^[a-z0-9.-]{1,253}$/.test(name) && URL.canParse(`https://${name}`)))
    throw usage('A host is a name or an IP address')
  return name
}

function portOf(given: string): number {
  const port = Number(given)
  if (!/^\d+$/.test(given) || port < 1 || port > 65_535) throw usage('A port is a number up to 65535')
  return port
}

function pinOf(given: string | undefined): Uint8Array | undefined {
  if (given === undefined) return undefined
  const pin = fromHex(given.replaceAll(':', '').toLowerCase())
  if (pin?.length !== 32) throw usage('--pin takes the SHA-256 of a certificate, 64 hexadecimal digits')
  return pin
}

async function credentialsOf(
  values: { readonly credentials?: boolean; readonly 'credentials-file'?: string },
  { stdin, stderr }: Console,
): Promise<{ readonly user: string; readonly password: string } | undefined> {
  const file = values['credentials-file']
  if (file === undefined && values.credentials !== true) return undefined
  const given =
    file === undefined
      ? await askSecret('Name and password, as name:password (not shown): ', stdin, stderr)
      : await readFile(file, 'utf8').catch((cause: unknown) => {
          throw new SottoError('E_USAGE', 'The file with the credentials cannot be read.', { cause })
        })
  const [line = ''] = given.split(/\r?\n/, 1)
  const [, user = '', password] = /^([^:]+):(.*)$/s.exec(line) ?? []
  const fits = (part: string): boolean => Buffer.byteLength(part) <= WayLimits.credentialBytes
  if (password === undefined || !fits(user) || !fits(password))
    throw usage(`Credentials are name:password, each of at most ${WayLimits.credentialBytes} octets`)
  return { user, password }
}
