/** `sotto proxy`, `sotto front`: the ways out. They are read and kept by the launcher, before this; here they are shown. */
import type { Command } from 'commander'
import type { EndpointInfo, WaysInfo } from '#firewall/permit.ts'
import type { AddCommand, Ground } from './commands.ts'
import { createOutput, type Output } from './report.ts'
import { sanitize } from './sanitize.ts'

interface Options {
  readonly json?: boolean
}

export function registerWays(program: Command, add: AddCommand, ground: Ground): void {
  const output = ({ json }: Options): Output =>
    createOutput(json === true, ground.streams.stdout, ground.streams.stderr)
  const proxy = program.command('proxy').description('The proxy that all connections go through: set, show, clear.')
  const showProxy = async (_: unknown, options: Options): Promise<void> => {
    const ways = await ground.broker.ways()
    output(options).result({ proxy: ways.proxy ?? null }, describeProxy(ways) ?? 'There is no proxy.')
  }
  add('show', 'Show the proxy.', proxy, true).action((options) => showProxy(undefined, options))
  add('set', 'Go through http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT or tor.', proxy)
    .argument('<proxy>')
    .option('--credentials', 'it wants a name and password: they are asked for, or read from standard input')
    .option('--credentials-file <file>', 'the same from a file: name:password')
    .option('--pin <sha256>', 'of an https proxy: the only certificate to accept')
    .action(showProxy)
  add('clear', 'Go straight again.', proxy).action((options) => showProxy(undefined, options))

  const front = program.command('front').description('Another machine in front of a gateway: set, show, clear.')
  const showFronts = async (options: Options): Promise<void> => {
    const { fronts } = await ground.broker.ways()
    const endpoints = await ground.broker.endpoints()
    if (fronts.length === 0) output(options).result({ fronts: [] }, 'There are no fronts.')
    for (const each of fronts) output(options).result(each, describeFront(each, endpoints))
  }
  add('show', 'Show the fronts.', front, true).action(showFronts)
  add('set', 'Reach a gateway by a front that passes requests on.', front)
    .argument('<gateway>', 'its name or host')
    .requiredOption('--sni <name>', 'what TLS names, and the network sees')
    .option('--host <name>', 'what requests name, inside TLS, where it is not the gateway')
    .option('--address <ip...>', 'where to connect, instead of asking for the address of the name')
    .option('--port <number>', 'where to connect', '443')
    .option('--pin <sha256>', 'the only certificate to accept')
    .action((_, options) => showFronts(options))
  add('clear', 'Reach a gateway straight again.', front)
    .argument('<gateway>', 'its name or host')
    .action((_, options) => showFronts(options))
}

/** undefined where there is none. */
export function describeProxy({ proxy }: WaysInfo): string | undefined {
  if (proxy === undefined) return undefined
  const what = proxy.kind === 'tor' ? 'Tor' : `the ${proxy.kind} proxy`
  return `through ${what} at ${sanitize(proxy.host)}, port ${proxy.port}${proxy.hasCredentials ? ', with credentials' : ''}`
}

export function describeFront(front: WaysInfo['fronts'][number], endpoints: readonly EndpointInfo[]): string {
  const endpoint = endpoints.find(({ id }) => id === front.endpoint)
  const gateway = endpoint === undefined ? front.endpoint : `${sanitize(endpoint.name)} (${endpoint.host})`
  const at = front.addresses.length === 0 ? '' : ` at ${front.addresses.join(', ')}`
  const asks = front.asks === undefined ? '' : `, asked for ${front.asks}`
  return `${gateway} by the front ${front.host}${at}, port ${front.port}${asks}`
}

/** Lines for `sotto status`. */
export function describeWays(ways: WaysInfo, endpoint: EndpointInfo): string[] {
  const proxy = describeProxy(ways)
  const front = ways.fronts.find((each) => each.endpoint === endpoint.id)
  return [
    ...(proxy === undefined ? [] : [proxy]),
    ...(front === undefined ? [] : [`by the front ${front.host}`]),
    ...(ways.ipv6Only ? ['over IPv6 only'] : []),
  ]
}
