/**
 * The time by which what waits for members grows old. It follows the machine's clock, and never runs faster than twice, nor
 * slower than half, the time that really passes: a clock that is set months ahead, by mistake or by whoever answers the
 * machine's NTP, would otherwise end all waiting mail within seconds. Nothing goes in less than half of its time, nothing
 * stays for longer than twice, and once the clock is right again both are soon the same. It stands while the gateway does.
 */
import type { Millis } from '#protocol/bytes.ts'
import { readU64, u64, utf8 } from '#protocol/bytes.ts'
import type { Store, Table } from './store/store.ts'

export const EXPIRY_TABLE = 'expiry-clock'
const timeId: Uint8Array = utf8('time')
/** Milliseconds between two records: what a gateway that is killed counts again. */
const RECORD_MS = 60_000
const DAY_MS = 86_400_000
/** Days that both may be apart before the operator is told: a weekend without the machine is no news. */
export const APART_DAYS = 3

export interface ExpiryClockInput {
  /** Opened with `EXPIRY_TABLE` among its tables. */
  readonly store: Store
  /** The machine's clock. */
  readonly wall: () => Millis
  /** Milliseconds from some moment on; nobody sets it. */
  readonly monotonic: () => number
  /** One line for the operator. */
  readonly log: (line: string) => void
}

export class ExpiryClock {
  private readonly input: ExpiryClockInput
  private readonly table: Table
  private time: Millis
  private read: number
  private recorded: Millis
  private told = false

  constructor(input: ExpiryClockInput) {
    this.input = input
    this.table = input.store.table(EXPIRY_TABLE)
    this.time = timeIn(this.table) ?? input.wall()
    this.recorded = 0
    this.read = input.monotonic()
  }

  now(): Millis {
    const passed = Math.max(0, this.input.monotonic() - this.read)
    this.read += passed
    this.time = Math.min(Math.max(this.input.wall(), this.time + passed / 2), this.time + passed * 2)
    return Math.round(this.time)
  }

  /** Call it about once a second. @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE */
  async tick(): Promise<void> {
    const now = this.now()
    this.tell(this.input.wall() - now)
    if (Math.abs(now - this.recorded) < RECORD_MS) return
    this.recorded = now
    await this.input.store.transaction(() => this.table.put(timeId, u64(now)), { frees: true })
  }

  private tell(ahead: number): void {
    const apart = Math.abs(ahead) >= APART_DAYS * DAY_MS
    if (apart && !this.told) {
      const days = Math.round(Math.abs(ahead) / DAY_MS)
      this.input.log(
        `clock: ${days} days ${ahead > 0 ? 'ahead of' : 'behind'} what this gateway has counted. Mail is not ended by that; is the clock right?`,
      )
    }
    this.told = apart
  }
}

/** What was counted last; undefined where it never was. */
export function timeIn(table: Table): Millis | undefined {
  const record = table.get(timeId)
  return record === undefined ? undefined : readU64(record)
}
