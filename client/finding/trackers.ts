/**
 * The trackers that our gateways' operators vouch for, and questions to them: sealed here, carried by a gateway, opened there.
 * A list is kept, and no older one is taken after it.
 */
import type { Clockwork } from '#client/clockwork.ts'
import type { Store } from '#client/store/store.ts'
import type { CallOptions } from '#client/tunnel/calls.ts'
import type { Millis } from '#protocol/bytes.ts'
import { concat, fastEqual, hex, utf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { isValidAt } from '#protocol/signed-list.ts'
import type { TrackerAnswer, TrackerRequest } from '#protocol/tracker/operations.ts'
import { sealQuery } from '#protocol/tracker/query.ts'
import { openTrackerList, type TrackerList } from '#protocol/tracker/tracker-list.ts'

export const FINDING_TABLES: readonly string[] = ['finding']

/** One of our gateways. */
export interface GatewayWay {
  /** As cards name it. */
  readonly gateway: Uint8Array
  /** Of its operator; undefined where the invite has none. */
  readonly root: Uint8Array | undefined
  readonly isReady: () => boolean
  /** @throws ServiceFailure, SottoError as `Tunnel.call` */
  call(method: string, args: unknown, options?: CallOptions): Promise<unknown>
}

/** Milliseconds that a list is not asked for again. */
const LIST_MS = 3_600_000
/** Milliseconds for one question. */
const ASK_MS = 30_000
/** Seconds to wait where a gateway says that we ask too much; it gives one question in ten seconds. */
const LIMIT_SECONDS = 10

export class Trackers {
  private readonly ways: readonly GatewayWay[]
  private readonly store: Store
  private readonly clockwork: Clockwork
  private readonly asked = new Map<GatewayWay, Millis>()

  /** @param store opened with `FINDING_TABLES` */
  constructor(ways: readonly GatewayWay[], store: Store, clockwork: Clockwork) {
    this.ways = ways
    this.store = store
    this.clockwork = clockwork
  }

  /** Public keys of all that there are. @throws SottoError E_TRACKER_NONE */
  async known(): Promise<Uint8Array[]> {
    await Promise.all(this.ways.map((way) => this.renew(way).catch(() => {})))
    const keys = new Map<string, Uint8Array>()
    for (const way of this.ways) for (const { key } of this.listOf(way)?.items ?? []) keys.set(hex(key), key)
    if (keys.size > 0) return [...keys.values()]
    throw new SottoError('E_TRACKER_NONE', 'None of your gateways names a tracker.')
  }

  /** @throws SottoError E_TRACKER_UNREACHABLE where no gateway gets an answer from it */
  async ask(tracker: Uint8Array, request: TrackerRequest): Promise<TrackerAnswer> {
    const carries = this.ways.filter((way) => this.listOf(way)?.items.some(({ key }) => fastEqual(key, tracker)))
    let cause: unknown
    for (const way of carries.toSorted((a, b) => Number(b.isReady()) - Number(a.isReady()))) {
      try {
        return await this.askBy(way, tracker, request)
      } catch (error) {
        cause = error
      }
    }
    throw new SottoError('E_TRACKER_UNREACHABLE', 'The tracker does not answer.', { cause })
  }

  private async askBy(way: GatewayWay, tracker: Uint8Array, request: TrackerRequest): Promise<TrackerAnswer> {
    const query = sealQuery(tracker, request, this.clockwork.random(32))
    if (query === undefined) throw new SottoError('E_TRACKER_UNREACHABLE', 'The tracker’s key is not usable.')
    try {
      const answer = await way.call('tracker.ask', { tracker, box: query.box }, { timeoutMs: ASK_MS })
      const { box } = (answer ?? {}) as { readonly box?: unknown }
      const opened = box instanceof Uint8Array ? query.open(box) : undefined
      if (opened !== undefined) return opened
      throw new SottoError('E_TRACKER_UNREACHABLE', 'What came back is not the tracker’s answer.')
    } catch (error) {
      if (!(error instanceof ServiceFailure) || error.reason !== 'limit') throw error
      return { kind: 'refused', why: 'busy', seconds: LIMIT_SECONDS }
    }
  }

  /** The list under the root key of a gateway's operator, as far as we have one that holds now. */
  private listOf({ root }: GatewayWay): TrackerList | undefined {
    const bytes = root && this.store.get('finding', listKey(root))
    const list = root && bytes && openTrackerList(root, bytes)
    return list && isValidAt(list, this.clockwork.now()) ? list : undefined
  }

  private async renew(way: GatewayWay): Promise<void> {
    const { root } = way
    const now = this.clockwork.now()
    const askedAt = this.asked.get(way)
    if (root === undefined || !way.isReady() || (askedAt !== undefined && Math.abs(now - askedAt) < LIST_MS)) return
    const { list: bytes } = ((await way.call('tracker.list', {}, { timeoutMs: ASK_MS })) ?? {}) as { list?: unknown }
    this.asked.set(way, now)
    const list = bytes instanceof Uint8Array ? openTrackerList(root, bytes) : undefined
    if (list === undefined || !isValidAt(list, now)) return
    const known = this.store.get('finding', listKey(root))
    const before = known && openTrackerList(root, known)
    if (before !== undefined && before.version >= list.version) return
    this.store.transaction(() => this.store.put('finding', listKey(root), bytes as Uint8Array))
  }
}

const listKey = (root: Uint8Array): Uint8Array => concat(utf8('list\0'), root)
