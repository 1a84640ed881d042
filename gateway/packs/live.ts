/**
 * Packs in the running gateway: looks four times a second whether the store says something new (as members-watch.ts does),
 * takes up the templates of all live packs, points each member to its pack, counts what members report, and decides by
 * that what becomes of a canary.
 */
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileSet } from '#engine/compile-set.ts'
import type { Millis } from '#protocol/bytes.ts'
import { empty, fastEqual, hex, readU32, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { parsePack, WHOLE_SHARE } from '#protocol/pack.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import { PackStage } from '#protocol/session/frames.ts'
import type { Packs } from './packs.ts'
import type { PackState } from './records.ts'
import type { Outcome } from './reports.ts'
import { Reports } from './reports.ts'
import type { Tally } from './rotation.ts'
import { liveHashes, recordOf, settle } from './rotation.ts'

const LOOK_MS = 250
/** Counts are written down this often at most, and canaries looked for where none is connected. */
const COUNT_MS = 1_000
/** Time between two questions where no pack says it, seconds. */
const BARE_TTL = 3_600

export interface LivePacksInput {
  readonly packs: Packs
  /** Templates of gateway.yaml: accepted always. */
  readonly base: readonly CompiledTemplate[]
  readonly now: () => Millis
  /** All templates that are accepted from now on. */
  readonly accept: (templates: readonly CompiledTemplate[]) => void
  /** Members are to be pointed anew. */
  readonly repoint: () => void
  /** Members with a session. */
  readonly connected: () => Iterable<string>
  /** One line for the operator. */
  readonly log: (line: string) => void
  readonly fault: (error: unknown) => void
}

export class LivePacks {
  private readonly input: LivePacksInput
  private readonly compiled = new Map<string, readonly CompiledTemplate[]>()
  private readonly reports = new Map<string, Reports>()
  private state: PackState
  private version = Number.NaN
  private currentPointer: PackPointer | undefined
  private canaryPointer: PackPointer | undefined
  /** Stands in where none of the share is connected. */
  private substitute: string | undefined
  private nextCount = 0
  private settling = false
  private timer: NodeJS.Timeout | undefined

  constructor(input: LivePacksInput) {
    this.input = input
    this.state = input.packs.state()
  }

  /** Looks at once and from then on. Returns how to stop. */
  start(): () => void {
    this.look()
    this.timer = setInterval(() => this.look(), LOOK_MS)
    return () => clearInterval(this.timer)
  }

  /** Where this member is pointed; undefined while this gateway has never had a pack. The same object until it changes. */
  pointerFor(member: string): PackPointer | undefined {
    return this.canaryPointer !== undefined && this.isCanary(member) ? this.canaryPointer : this.currentPointer
  }

  /** Octets of a pack that some member may need now. */
  body(hash: Uint8Array): Uint8Array | undefined {
    return liveHashes(this.state).some((live) => fastEqual(live, hash)) ? this.input.packs.body(hash) : undefined
  }

  /** A member's latest word on a live pack; one a member, and on a canary only from those who are to try it. */
  report(member: string, hash: Uint8Array, outcome: Outcome): void {
    if (!liveHashes(this.state).some((live) => fastEqual(live, hash))) return
    const { canary } = this.state
    if (canary !== null && fastEqual(canary.hash, hash) && !this.isCanary(member)) return
    const key = hex(hash)
    const reports = this.reports.get(key) ?? new Reports()
    this.reports.set(key, reports)
    reports.take(member, outcome)
  }

  look(): void {
    const { packs, now, fault } = this.input
    try {
      const state = packs.state()
      if (state.version !== this.version) this.take(state)
      if (now() >= this.nextCount) this.count()
      if (!this.settling && this.isDue()) {
        this.settling = true
        packs
          .settle(this.tally(this.state.canary?.hash), now())
          .then((next) => this.take(next), fault)
          .finally(() => {
            this.settling = false
          })
      }
    } catch (error) {
      fault(error)
    }
  }

  private isDue(): boolean {
    return settle(this.state, this.tally(this.state.canary?.hash), this.input.now()).state !== this.state
  }

  private tally(hash: Uint8Array | undefined): Tally {
    const reports = hash === undefined ? undefined : this.reports.get(hex(hash))
    return reports?.tally ?? { applied: 0, failed: 0 }
  }

  /** Templates first, pointers after: nobody is sent where nothing would be recognised. */
  private take(state: PackState): void {
    // What a settling wrote may arrive after what was written since.
    if (state.version <= this.version) return
    const before = this.state
    const isFirst = Number.isNaN(this.version)
    this.state = state
    this.version = state.version
    const live = liveHashes(state).map(hex)
    for (const key of [...this.reports.keys()]) if (!live.includes(key)) this.reports.delete(key)
    if (isFirst || live.join() !== liveHashes(before).map(hex).join()) this.acceptAll(state, live)
    if (!fastEqual(before.canary?.hash ?? empty, state.canary?.hash ?? empty)) this.substitute = undefined
    this.setPointers(state)
    if (!isFirst) this.tell(before, state)
    this.input.repoint()
  }

  private acceptAll(state: PackState, live: readonly string[]): void {
    for (const key of [...this.compiled.keys()]) if (!live.includes(key)) this.compiled.delete(key)
    const all = new Map(this.input.base.map((template) => [template.bindingId, template]))
    for (const hash of liveHashes(state)) {
      for (const template of this.templatesOf(hash))
        if (!all.has(template.bindingId)) all.set(template.bindingId, template)
    }
    this.input.accept([...all.values()])
  }

  /** Checked when it was added; what the store gives back is sealed. */
  private templatesOf(hash: Uint8Array): readonly CompiledTemplate[] {
    const key = hex(hash)
    const known = this.compiled.get(key)
    if (known !== undefined) return known
    const body = this.input.packs.body(hash)
    const made = body === undefined ? [] : compileSet(parsePack(body).templates, `pack ${key.slice(0, 12)}`)
    this.compiled.set(key, made)
    return made
  }

  private setPointers(state: PackState): void {
    const before = this.currentPointer
    const ttlOf = (hash: Uint8Array): number => recordOf(state, hash)?.manifest.ttl ?? BARE_TTL
    const { current, canary } = state
    const make = (stage: 1 | 2, hash: Uint8Array): PackPointer => ({ stage, ttl: ttlOf(hash), hash })
    const bare: PackPointer = { stage: PackStage.none, ttl: BARE_TTL, hash: empty }
    const next = current === null ? bare : make(PackStage.current, current)
    if (state.lastSerial === 0) this.currentPointer = undefined
    else if (before === undefined || !samePointer(before, next)) this.currentPointer = next
    const trial = canary === null ? undefined : make(PackStage.canary, canary.hash)
    const same = trial !== undefined && this.canaryPointer !== undefined && samePointer(trial, this.canaryPointer)
    if (!same) this.canaryPointer = trial
  }

  private tell(before: PackState, { current, canary }: PackState): void {
    if (!fastEqual(before.current ?? empty, current ?? empty)) {
      this.input.log(`templates: ${current === null ? 'those of gateway.yaml' : `pack ${this.serial(current)}`}`)
    }
    if (canary !== null && before.canary === null)
      this.input.log(`templates: pack ${this.serial(canary.hash)} is tried`)
    if (canary === null && before.canary !== null && !fastEqual(before.canary.hash, current ?? empty)) {
      this.input.log(`templates: pack ${this.serial(before.canary.hash)} was taken back`)
    }
  }

  private serial(hash: Uint8Array): number {
    return recordOf(this.state, hash)?.manifest.serial ?? 0
  }

  // ---- who tries a pack first ----------------------------------------------------------------------------------------------

  private isCanary(member: string): boolean {
    const { canary } = this.state
    if (canary === null) return false
    const share = recordOf(this.state, canary.hash)?.manifest.canary ?? 0
    return member === this.substitute || canaryPlace(canary.hash, member) < share
  }

  /** A small gateway may have nobody in the share, or nobody who is there: then one who is there stands in. */
  private findSubstitute(): void {
    const { canary } = this.state
    if (canary === null || this.reports.has(hex(canary.hash))) return
    let first: { readonly member: string; readonly place: number } | undefined
    for (const member of this.input.connected()) {
      if (this.isCanary(member)) return
      const place = canaryPlace(canary.hash, member)
      if (first === undefined || place < first.place) first = { member, place }
    }
    if (first === undefined) return
    this.substitute = first.member
    this.input.repoint()
  }

  /** Disk is written at this pace at the most, however often members report. */
  private count(): void {
    this.nextCount = this.input.now() + COUNT_MS
    this.findSubstitute()
    for (const hash of liveHashes(this.state)) {
      const tally = this.tally(hash)
      const known = recordOf(this.state, hash)
      const isNew = known !== undefined && (known.applied !== tally.applied || known.failed !== tally.failed)
      // After a start nothing was said yet; what was counted before stays until something is.
      if (isNew && tally.applied + tally.failed > 0) this.input.packs.count(hash, tally).catch(this.input.fault)
    }
  }
}

const samePointer = (a: PackPointer, b: PackPointer): boolean =>
  a.stage === b.stage && a.ttl === b.ttl && fastEqual(a.hash, b.hash)

/** Where a member stands in the order in which a pack is tried, 0 to 9,999: stable for one pack, another for the next. */
export function canaryPlace(hash: Uint8Array, member: string): number {
  return readU32(sha256(utf8('sotto/1/canary\n'), hash, utf8(member))) % WHOLE_SHARE
}
