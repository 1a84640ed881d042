/** Octets of today, kept beside the chat, so that people see what camouflage costs them. */
import type { Millis } from '#protocol/bytes.ts'
import { utf8 } from '#protocol/bytes.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Octets } from './path.ts'
import type { Store } from './store/store.ts'

export const TRAFFIC_TABLES: readonly string[] = ['traffic']

const KEY = utf8('today')
/** Milliseconds between two times of writing it down; what lies between is lost when the program is killed. */
const WRITE_MS = 60_000

export class Traffic {
  private readonly store: Store
  private readonly now: () => Millis
  private day: string
  private octets: Octets
  private written: Millis

  constructor(store: Store, now: () => Millis) {
    this.store = store
    this.now = now
    this.day = dayOf(now())
    this.octets = this.read() ?? { up: 0, down: 0 }
    this.written = now()
  }

  /** Since midnight, HTTP counted and TLS not. */
  get today(): Octets {
    this.turn()
    return this.octets
  }

  add({ up, down }: Octets): void {
    this.turn()
    this.octets = { up: this.octets.up + up, down: this.octets.down + down }
    if (Math.abs(this.now() - this.written) >= WRITE_MS) this.write()
  }

  write(): void {
    this.written = this.now()
    const value = encodeMessage({ day: this.day, ...this.octets })
    this.store.transaction(() => this.store.put('traffic', KEY, value))
  }

  private turn(): void {
    const day = dayOf(this.now())
    if (day === this.day) return
    this.day = day
    this.octets = { up: 0, down: 0 }
  }

  private read(): Octets | undefined {
    const bytes = this.store.get('traffic', KEY)
    const { day, up, down } = ((bytes && decodeMessage(bytes)) ?? {}) as { day?: string; up?: number; down?: number }
    return day === this.day && typeof up === 'number' && typeof down === 'number' ? { up, down } : undefined
  }
}

/** The day as the person's calendar has it. */
function dayOf(time: Millis): string {
  const date = new Date(time)
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`
}
