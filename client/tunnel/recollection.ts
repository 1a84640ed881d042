/** Keeps what is found out of the way, for the next start on the same network: now and then while it works, and at the end. */
import type { Millis } from '#protocol/bytes.ts'
import type { Clockwork } from '../clockwork.ts'
import type { Path } from '../path.ts'
import type { WayRecord } from '../way-record.ts'
import type { WayMemory } from './input.ts'

/** Milliseconds between two times of writing it down. */
const KEEP_MS = 60_000
/** As well, where nothing has changed: the time at which the way last worked is kept, too. */
const AGAIN_MS = 3_600_000
/** Change of the round trip that is worth writing down, as a part of it. */
const NOTABLE = 0.5

export class Recollection {
  private readonly memory: WayMemory | undefined
  private readonly path: Path
  private readonly clockwork: Clockwork
  private kept: { readonly way: WayRecord; readonly at: Millis } | undefined
  private cancel: () => void = () => {}
  /** Nothing is kept before what is known was read: it would be overwritten. */
  private isReady = false
  private isOver = false

  constructor(memory: WayMemory | undefined, path: Path, clockwork: Clockwork) {
    this.memory = memory
    this.path = path
    this.clockwork = clockwork
  }

  /** Takes up what is known of the network we are on. Without a name for the network nothing is. */
  async begin(): Promise<void> {
    this.isReady = false
    this.cancel()
    if (this.memory === undefined) return
    const way = await this.memory.recall().catch(() => undefined)
    if (way !== undefined) this.path.recall(way)
    this.isReady = true
    this.kept = undefined
    this.later()
  }

  /** Writes it down, where it works and there is news. */
  async keep(): Promise<void> {
    const { path, clockwork, memory } = this
    const now = clockwork.now()
    if (memory === undefined || !this.isReady || !path.works || path.lastWorked === Number.NEGATIVE_INFINITY) return
    const way = path.record
    if (this.kept !== undefined && now - this.kept.at < AGAIN_MS && isLike(this.kept.way, way)) return
    this.kept = { way, at: now }
    // Where the disk is full it is found out again the next time.
    await memory.keep(way).catch(() => {})
  }

  end(): void {
    this.isOver = true
    this.cancel()
  }

  private later(): void {
    if (this.isOver) return
    this.cancel = this.clockwork.after(KEEP_MS, () => {
      void this.keep()
      this.later()
    })
  }
}

function isLike({ rttMs: before, ...one }: WayRecord, { rttMs: after, ...other }: WayRecord): boolean {
  return Math.abs(before - after) <= NOTABLE * before && JSON.stringify(one) === JSON.stringify(other)
}
