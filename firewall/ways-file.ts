/** Where the chosen ways out are kept: `<state>/firewall/ways`, sealed as the vault is, since proxies have passwords. */
import { join } from 'node:path'
import * as v from 'valibot'
import type { Random } from '#protocol/bytes.ts'
import { readPrivate, replacePrivate, unreadable } from './folder.ts'
import { openMessages, sealMessages } from './sealed.ts'
import type { Ways } from './ways.ts'
import { noWays } from './ways.ts'

const KIND = { label: 'sotto/1/ways', version: 1 }
/** Larger than anything within `WayLimits` and the number of endpoints can become. */
const FILE_LIMIT = 131_072

const pin = v.nullable(v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32))
const place = { host: v.string(), port: v.number(), addresses: v.array(v.string()), certificate: pin }

const schema = v.strictObject({
  proxy: v.nullable(
    v.strictObject({
      ...place,
      id: v.string(),
      name: v.string(),
      kind: v.picklist(['http', 'https', 'socks5', 'tor']),
      credentials: v.exactOptional(v.strictObject({ user: v.string(), password: v.string() })),
    }),
  ),
  fronts: v.array(v.strictObject({ ...place, endpoint: v.string(), asks: v.nullable(v.string()) })),
  remembered: v.array(v.strictObject({ endpoint: v.string(), addresses: v.array(v.string()) })),
})

export interface WaysFileInput {
  /** The broker's own. */
  readonly folder: string
  /** 32 octets, wiped by who derived it. */
  readonly key: Uint8Array
  readonly random: Random
}

export class WaysFile {
  private readonly input: WaysFileInput
  private present: Ways
  private writing: Promise<void> = Promise.resolve()

  private constructor(input: WaysFileInput, present: Ways) {
    this.input = input
    this.present = present
  }

  /** @throws SottoError E_STATE_UNREADABLE */
  static async open(input: WaysFileInput): Promise<WaysFile> {
    const path = pathOf(input)
    const sealed = await readPrivate(path, FILE_LIMIT)
    if (sealed === undefined) return new WaysFile(input, noWays)
    const messages = openMessages(KIND, input.key, sealed)
    if (messages === undefined) throw unreadable(path, 'it does not open with the key beside it')
    const stored = v.safeParse(schema, messages[0])
    if (!stored.success) throw unreadable(path, 'its content has another shape')
    return new WaysFile(input, fromStored(stored.output))
  }

  get ways(): Ways {
    return this.present
  }

  /**
   * Computes the next ways from the present ones and stores them; only then they hold. Changes queue up.
   * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE, or what `change` throws; the present stays
   */
  update(change: (ways: Ways) => Ways): Promise<void> {
    const done = this.writing.then(async () => {
      const next = change(this.present)
      if (next === this.present) return
      await replacePrivate(pathOf(this.input), sealMessages(KIND, this.input.key, this.input.random, [toStored(next)]))
      this.present = next
    })
    this.writing = done.catch(() => {})
    return done
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.writing
  }
}

const pathOf = ({ folder }: WaysFileInput): string => join(folder, 'ways')

type Stored = v.InferOutput<typeof schema>

function toStored({ proxy, fronts, remembered }: Ways): Stored {
  const placeOf = ({
    host,
    port,
    addresses,
    certificate,
  }: Pick<Stored['fronts'][number], 'host' | 'port'> & {
    readonly addresses: readonly string[]
    readonly certificate: Uint8Array | undefined
  }) => ({ host, port, addresses: [...addresses], certificate: certificate ?? null })
  return {
    proxy: proxy
      ? {
          ...placeOf(proxy),
          ...{ id: proxy.id, name: proxy.name, kind: proxy.kind },
          ...(proxy.credentials && { credentials: { ...proxy.credentials } }),
        }
      : null,
    fronts: [...fronts].map(([endpoint, { reach, asks = null }]) => ({ ...placeOf(reach), endpoint, asks })),
    remembered: [...remembered].map(([endpoint, addresses]) => ({ endpoint, addresses: [...addresses] })),
  }
}

function fromStored({ proxy, fronts, remembered }: Stored): Ways {
  return {
    proxy: proxy ? { ...proxy, certificate: proxy.certificate ?? undefined } : undefined,
    fronts: new Map(
      fronts.map(({ endpoint, asks, certificate, ...reach }) => [
        endpoint,
        { reach: { ...reach, certificate: certificate ?? undefined }, asks: asks ?? undefined },
      ]),
    ),
    remembered: new Map(remembered.map(({ endpoint, addresses }) => [endpoint, addresses])),
  }
}
