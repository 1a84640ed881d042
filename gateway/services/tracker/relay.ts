/**
 * How members reach trackers: they hand their gateway a sealed query, and it hands on the answer. The gateway sees who asks
 * and how much, the tracker sees what is asked and not by whom. Spec section 16.11.
 *
 * Refusals: `invalid` `forbidden` (guests) `unknown` (no such tracker in the operator's list) `limit` (too many queries)
 * `unavailable` (the tracker is not reached: try later, or another).
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import type { Millis } from '#protocol/bytes.ts'
import { empty, fastEqual, hex } from '#protocol/bytes.ts'
import type { Caller, Service } from '#protocol/services/service.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { isValidAt } from '#protocol/signed-list.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import type { ListedTracker } from '#protocol/tracker/tracker-list.ts'
import { openTrackerList, TrackerListLimits } from '#protocol/tracker/tracker-list.ts'
import { Buckets } from './buckets.ts'
import type { Tracker } from './tracker.ts'
import { Trunk, type TrunkTimes } from './trunk.ts'

/** In the state folder; made by `sotto gateway trackers`, also on another machine. */
export const TRACKER_LIST_FILE = 'trackers.list'

export interface RelayOptions {
  /** State folder of the gateway. */
  readonly folder: string
  /** Ed25519 key that lists are signed under. */
  readonly root: Uint8Array
  readonly now: () => Millis
  /** The tracker that this gateway is itself. */
  readonly own?: Tracker
  readonly limits?: Partial<TrackerLimits>
  readonly times?: Partial<TrunkTimes>
}

/** Milliseconds that a list is believed to be the newest. */
const LIST_MS = 10_000
/** Stands for the network of this gateway's own members. */
const OWN_MEMBERS = 'members'

const askArguments = v.strictObject({
  tracker: v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32),
  box: v.custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.length > 0 && value.length <= TrackerLimits.queryBytes,
  ),
})

interface Known {
  readonly at: Millis
  readonly list: Uint8Array
  readonly trackers: readonly ListedTracker[]
}

export class TrackerRelay {
  readonly service: Service
  private readonly options: RelayOptions
  private readonly members: Buckets
  private readonly trunks = new Map<string, Trunk>()
  private known: Known | undefined

  constructor(options: RelayOptions) {
    this.options = options
    const limits = { ...TrackerLimits, ...options.limits }
    this.members = new Buckets(limits.memberQueries, limits.memberQueryBurst, limits.members)
    this.service = {
      unary: {
        'tracker.list': async () => ({ list: (await this.trackers()).list }),
        'tracker.ask': (args, caller) => this.ask(args, caller),
      },
      subscribe: {},
    }
  }

  close(): void {
    for (const trunk of this.trunks.values()) trunk.close()
  }

  private async ask(args: unknown, { member, role }: Caller): Promise<{ box: Uint8Array }> {
    if (role !== 'member') throw new ServiceFailure('forbidden')
    const asked = v.safeParse(askArguments, args)
    if (!asked.success) throw new ServiceFailure('invalid')
    const { tracker, box } = asked.output
    const listed = (await this.trackers()).trackers.find(({ key }) => fastEqual(key, tracker))
    if (listed === undefined) throw new ServiceFailure('unknown')
    if (this.members.take(member, 1, this.options.now()) > 0) throw new ServiceFailure('limit')
    const answer = await this.carry(listed, box)
    if (answer === undefined) throw new ServiceFailure('unavailable')
    if (answer.length === 0) throw new ServiceFailure('invalid')
    return { box: answer }
  }

  /** Empty where the query is not sealed to this tracker; undefined where it is not reached. */
  private async carry({ key, host, port }: ListedTracker, box: Uint8Array): Promise<Uint8Array | undefined> {
    const { own } = this.options
    if (own !== undefined && fastEqual(own.publicKey, key)) return (await own.answer(box, OWN_MEMBERS)) ?? empty
    if (host === undefined || port === undefined) return undefined
    const name = `${hex(key)} ${host} ${port}`
    const trunk = this.trunks.get(name) ?? new Trunk({ key, host, port }, this.options.times)
    this.trunks.set(name, trunk)
    return await trunk.ask(box)
  }

  private async trackers(): Promise<Known> {
    const { folder, root, now } = this.options
    if (this.known !== undefined && Math.abs(now() - this.known.at) < LIST_MS) return this.known
    const bytes = await readList(join(folder, TRACKER_LIST_FILE))
    const list = openTrackerList(root, bytes)
    const isGood = list !== undefined && isValidAt(list, now())
    const trackers = isGood ? list.items : []
    this.known = { at: now(), list: isGood ? bytes : empty, trackers }
    this.closeOthers(trackers)
    return this.known
  }

  /** A tracker that is not in the list any more, or elsewhere. */
  private closeOthers(trackers: readonly ListedTracker[]): void {
    const names = new Set(trackers.map(({ key, host, port }) => `${hex(key)} ${host} ${port}`))
    for (const [name, trunk] of this.trunks) {
      if (names.has(name)) continue
      trunk.close()
      this.trunks.delete(name)
    }
  }
}

/** Nothing where there is no list, or one that no member would look at. */
async function readList(path: string): Promise<Uint8Array> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return empty
  try {
    const { size } = await file.stat()
    return size > TrackerListLimits.bytes ? empty : new Uint8Array(await file.readFile())
  } finally {
    await file.close()
  }
}
