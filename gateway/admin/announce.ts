/**
 * `sotto gateway announce`: tells members of further gateways. Alone it prints the line of this gateway; with such lines in a
 * file it signs a list of them with the root key, which this gateway then gives to its members.
 */
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { parse } from 'yaml'
import type { Millis } from '#protocol/bytes.ts'
import { fromHex, hex } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { ListedGateway } from '#protocol/gateway-list.ts'
import { GatewayListLimits, sealGatewayList } from '#protocol/gateway-list.ts'
import { GATEWAY_LIST_FILE } from '../services/gateways.ts'
import { rootKind } from '../state.ts'
import { readSecretFile } from '../store/secret-file.ts'
import type { AdminSurroundings } from './commands.ts'
import { placeOf } from './invites.ts'
import { jsonOption, stateOption, wholeNumber } from './options.ts'
import { withState } from './with-state.ts'

const DAY_SECONDS = 86_400
/** Clocks of members differ: what begins now began a while ago. */
const CLOCK_SECONDS = 3_600

interface Flags {
  readonly state: string
  readonly json: boolean
  readonly places?: string
  readonly rootKey?: string
  readonly days: number
}

export function registerAnnounce(gateway: Command, { out, now }: AdminSurroundings): void {
  gateway
    .command('announce')
    .description('Print the line of this gateway for a list of gateways; with --places, sign a list for members.')
    .addOption(stateOption())
    .addOption(new Option('--places <file>', 'the lines of all gateways that share members with this one'))
    .addOption(new Option('--root-key <file>', 'where the root key is (default: pack-root.key in the state folder)'))
    .option('--days <number>', 'days until the list ends', wholeNumber('--days', 1, 400), 90)
    .addOption(jsonOption())
    .action(async (flags: Flags) => {
      if (flags.places === undefined) {
        const place = await ownPlace(flags.state)
        return out(flags.json ? `${JSON.stringify(place)}\n` : `- ${JSON.stringify(place)}\n`)
      }
      const { file, version, gateways } = await signList({ ...flags, places: flags.places }, now())
      out(flags.json ? `${JSON.stringify({ file, version, gateways })}\n` : `${file}: ${gateways} gateways.\n`)
    })
}

interface Place {
  readonly host: string
  readonly port: number
  readonly addresses: readonly string[]
  readonly key: string
  readonly tls?: string
}

/** As one line of YAML. */
async function ownPlace(state: string): Promise<Place> {
  return await withState(state, async (open) => {
    const { key, tls, ...place } = await placeOf(open)
    return { ...place, key: hex(key), ...(tls === undefined ? {} : { tls: hex(tls) }) }
  })
}

/** The version is the second of signing: it rises by itself, wherever the key is. @throws SottoError E_PACK_KEY, E_CONFIG */
async function signList(
  { state, places, rootKey, days }: Flags & { readonly places: string },
  now: Millis,
): Promise<{ file: string; version: number; gateways: number }> {
  const keyFile = rootKey ?? join(state, 'pack-root.key')
  if (!existsSync(keyFile)) throw new SottoError('E_PACK_KEY', `There is no root key in ${keyFile}.`)
  const gateways = placesIn(await readFile(places, 'utf8'), places)
  const version = Math.floor(now / 1000)
  const from = version - CLOCK_SECONDS
  const list = { version, from, until: version + days * DAY_SECONDS, gateways }
  const file = join(state, GATEWAY_LIST_FILE)
  const bytes = sealed(await readSecretFile(keyFile, rootKind), list, places)
  await writeFile(`${file}.next`, bytes, { mode: 0o600 })
  await rename(`${file}.next`, file)
  return { file, version, gateways: gateways.length }
}

function sealed(seed: Uint8Array, list: Parameters<typeof sealGatewayList>[1], places: string): Uint8Array {
  try {
    return sealGatewayList(seed, list)
  } catch (cause) {
    const what = `${places} has a line that no invite could have, or more than ${GatewayListLimits.gateways}`
    throw new SottoError('E_CONFIG', what, { cause })
  }
}

function placesIn(text: string, file: string): ListedGateway[] {
  const lines: unknown = parse(text) ?? []
  if (!Array.isArray(lines)) throw new SottoError('E_CONFIG', `${file} is no list of gateways`)
  return lines.map((line: Partial<Place>) => {
    const { key = '', tls, ...rest } = line
    const pin = tls === undefined ? {} : { tls: fromHex(String(tls)) ?? tls }
    return { ...rest, key: fromHex(String(key)) ?? key, ...pin } as unknown as ListedGateway
  })
}
