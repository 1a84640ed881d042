/** What the two people of a session say to each other, and what their programs do beside it. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Spoken } from './capture/session.ts'
import type { Guest } from './drivers/guest.ts'

/** Milliseconds of talking, from when a guest can speak. */
const TALK_MS = 8_000
/** Between two things that one side says, on average, and the most letters of one. */
const GAP_MS = 2_400
const LETTERS = 120
/** When somebody's program says that it has got something: a little after the first thing, and once for all of them. */
const RECEIPT_MS = [1_000, 5_000] as const

type Side = 'say' | 'hear'

/**
 * Two people who write now and then. Programs tell each other that something has arrived, and say something more after each
 * message where the template's rhythm has cover. Ours do by themselves; for genuine visitors, of `application`, it is done here.
 */
export class Talk {
  readonly said: Spoken[] = []
  readonly heard: Spoken[] = []
  private readonly guest: Guest
  private readonly application: CompiledTemplate | undefined
  private readonly random: () => number
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly owed = { say: false, hear: false }
  private notice: NodeJS.Timeout | undefined
  /** Milliseconds between notices. */
  private readonly everyMs: readonly [number, number]

  constructor(guest: Guest, application: CompiledTemplate | undefined, random: () => number) {
    this.guest = guest
    this.application = application
    this.random = random
    this.everyMs = application?.rhythm.cover?.everyMs ?? [0, 0]
  }

  begin(): void {
    // What opens a room is a send as well.
    this.plan()
    for (const side of ['say', 'hear'] as const)
      for (let at = this.gap(); at < TALK_MS; at += this.gap()) this.after(at, () => this.speak(side))
  }

  end(): void {
    clearTimeout(this.notice)
    for (const timer of this.timers) clearTimeout(timer)
  }

  private speak(side: Side): void {
    const letters = 1 + Math.floor(this.random() * LETTERS)
    ;(side === 'say' ? this.said : this.heard).push({ at: Date.now(), letters })
    this.pass(side, letters)
    const other = side === 'say' ? 'hear' : 'say'
    if (this.application === undefined || this.owed[other]) return
    this.owed[other] = true
    this.after(this.draw(RECEIPT_MS), () => {
      this.owed[other] = false
      this.pass(other, 1)
    })
  }

  private pass(side: Side, letters: number): void {
    this.guest[side](letters)
    if (side === 'say') this.plan()
  }

  /** After a send so many notices follow, and begin anew with the next send. */
  private plan(): void {
    const { cover } = this.application?.rhythm ?? {}
    clearTimeout(this.notice)
    if (cover?.mode !== 'adaptive') return
    const [from, to] = cover.tail ?? [1, 1]
    this.follow(from + Math.floor(this.random() * (to - from + 1)))
  }

  private follow(left: number): void {
    if (left === 0) return
    this.notice = setTimeout(() => {
      this.guest.notice()
      this.follow(left - 1)
    }, this.draw(this.everyMs))
  }

  private draw([from, to]: readonly [number, number]): number {
    return from + this.random() * (to - from)
  }

  private gap(): number {
    return -Math.log(1 - this.random()) * GAP_MS + 300
  }

  private after(ms: number, run: () => void): void {
    this.timers.add(setTimeout(run, ms))
  }
}
