/**
 * Keeps the client on the pack that its gateway points to: fetches it where it is another one, checks it against the root
 * key of the invite, tries its templates beside the one in use, and changes over only once one of them has carried. Says
 * to the gateway whether it worked, and goes back to the last good pack where it did not. Spec section 14.
 */
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileSet } from '#engine/compile-set.ts'
import { fastEqual, hex } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import type { PackManifest } from '#protocol/pack.ts'
import { openPack, PackLimits } from '#protocol/pack.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import { PackStage } from '#protocol/session/frames.ts'
import type { Clockwork } from '../clockwork.ts'
import type { NetworkMemory } from '../network-memory.ts'
import type { PackCalls } from './calls.ts'
import { askPointer, fetchPack, reportPack } from './calls.ts'
import type { Looks } from './looks.ts'
import type { PackShelf } from './memory.ts'

/** What the keeper needs of a tunnel. */
export interface PackTunnel extends PackCalls {
  /** Carries one exchange of each kind that looks like this, beside what goes on. 'busy': it could not be tried now. */
  trial(template: CompiledTemplate): Promise<'carried' | 'failed' | 'busy'>
  use(template: CompiledTemplate): void
  readonly look: CompiledTemplate
}

export interface PackKeeperInput {
  /** Ed25519 key of the invite. */
  readonly root: Uint8Array
  /** True where a dialer looks as the template claims. */
  readonly fits: (template: CompiledTemplate) => boolean
  readonly looks: Looks
  readonly shelf: PackShelf
  readonly memory: NetworkMemory
  readonly clockwork: Clockwork
}

/** Milliseconds until what could not be decided is tried again. */
const AGAIN_MS = 10_000
/** Times that the tunnel may leave a pack whose templates carry when they are tried, and not when they are used. */
const RELAPSES = 2
/** Verdicts about packs that are remembered. A gateway that turned hostile could point to another one each time. */
const VERDICTS = 32

interface Loaded {
  readonly hash: Uint8Array
  readonly bytes: Uint8Array
  readonly manifest: PackManifest
  readonly templates: readonly CompiledTemplate[]
}

interface Kept {
  readonly floor: number
  readonly applied: Loaded | undefined
  /** The last pack that was everybody's and carried here. */
  readonly good: Loaded | undefined
}

export interface PackInUse {
  readonly serial: number
  /** Hexadecimal. */
  readonly hash: string
  /** Of the pack's templates, the one in use; undefined where another had to stand in. */
  readonly template: string | undefined
}

export class PackKeeper {
  private readonly input: PackKeeperInput
  private tunnel: PackTunnel | undefined
  private kept: Kept
  private pointer: PackPointer | undefined
  /** Packs that did not work, by hash and network. */
  private readonly failed = new Set<string>()
  /** How often the tunnel had to leave the pack in use since it was taken up. */
  private relapses = 0
  private working = false
  private again = false
  private cancelAsk: (() => void) | undefined
  private cancelAgain: (() => void) | undefined
  private closed = false

  /** Takes up what was kept; what cannot be used any more is left out. */
  constructor(input: PackKeeperInput) {
    this.input = input
    const { floor, applied, good } = input.shelf.load()
    const lastGood = this.tryLoad(good, floor)
    this.kept = { floor, applied: this.tryLoad(applied, floor) ?? lastGood, good: lastGood }
    this.show()
  }

  attach(tunnel: PackTunnel): void {
    this.tunnel = tunnel
  }

  get inUse(): PackInUse | undefined {
    const { applied } = this.kept
    const { tunnel } = this
    if (applied === undefined) return undefined
    const look = tunnel?.look
    const own = applied.templates.find((template) => template === look)
    return { serial: applied.manifest.serial, hash: hex(applied.hash), template: own?.id }
  }

  /** The gateway has said which pack to use. */
  pointed(pointer: PackPointer): void {
    this.pointer = pointer
    this.askLater(pointer.ttl)
    this.work()
  }

  /** The tunnel goes on with another template than before, of its own accord. */
  changed(): void {
    if (this.kept.applied !== undefined && !this.looksApplied()) this.relapses++
    this.work()
  }

  close(): void {
    this.closed = true
    this.cancelAsk?.()
    this.cancelAgain?.()
  }

  // ---- one thing after another ---------------------------------------------------------------------------------------------

  private work(): void {
    this.again = true
    if (this.working || this.closed || this.input.looks.isPinned) return
    this.working = true
    void this.run().finally(() => {
      this.working = false
    })
  }

  private async run(): Promise<void> {
    while (this.again && !this.closed) {
      this.again = false
      // What went wrong on the way (the session ended, the disk is full) is tried again; nothing has changed.
      const done = this.pointer === undefined ? true : await this.follow(this.pointer).catch(() => false)
      if (!done) this.tryAgain()
    }
  }

  private tryAgain(): void {
    if (this.closed) return
    this.cancelAgain?.()
    this.cancelAgain = this.input.clockwork.after(AGAIN_MS, () => this.work())
  }

  /** With some jitter, so that not all members ask at one moment. */
  private askLater(ttl: number): void {
    const { clockwork } = this.input
    const jitter = 0.9 + clockwork.random(1)[0]! / 1_275
    this.cancelAsk?.()
    const seconds = Math.max(ttl, PackLimits.ttlSeconds[0])
    this.cancelAsk = clockwork.after(seconds * 1000 * jitter, () => void this.ask())
  }

  private async ask(): Promise<void> {
    // Where it failed, it may work by now.
    this.failed.clear()
    this.relapses = 0
    try {
      const pointer = await askPointer(this.tunnel!)
      if (pointer !== undefined) return this.pointed(pointer)
    } catch {
      // The session ended meanwhile, or this gateway has no packs; asked again later all the same.
    }
    if (!this.closed && this.pointer !== undefined) this.askLater(this.pointer.ttl)
  }

  // ---- following the pointer -----------------------------------------------------------------------------------------------

  /** False where it has to be tried again. */
  private async follow(pointer: PackPointer): Promise<boolean> {
    if (pointer.stage === PackStage.none) return await this.withdraw()
    const verdict = `${hex(pointer.hash)} ${await this.input.memory.here()}`
    if (this.failed.has(verdict)) return true
    const { applied } = this.kept
    const same = applied !== undefined && fastEqual(applied.hash, pointer.hash)
    if (same && this.looksApplied()) {
      if (pointer.stage === PackStage.current) this.confirm()
      return true
    }
    if (same && this.relapses > RELAPSES) {
      await this.fail(applied.hash, verdict)
      return true
    }
    const pack = same ? applied : await this.obtain(pointer.hash, verdict)
    return pack === undefined || (await this.apply(pack, pointer, verdict))
  }

  private looksApplied(): boolean {
    return this.kept.applied!.templates.includes(this.tunnel!.look)
  }

  /** A pack that is here, or comes from the gateway; undefined where it is refused. */
  private async obtain(hash: Uint8Array, verdict: string): Promise<Loaded | undefined> {
    const { good } = this.kept
    if (good !== undefined && fastEqual(good.hash, hash)) return good
    const bytes = await fetchPack(this.tunnel!, hash)
    try {
      if (bytes === undefined) throw new SottoError('E_PACK_FORMAT', 'The gateway gave another pack than it named.')
      return this.load(bytes, this.kept.floor)
    } catch (error) {
      if (!isSottoError(error)) throw error
      await this.fail(hash, verdict)
      return undefined
    }
  }

  /** @throws SottoError E_PACK_*, E_TEMPLATE */
  private load(bytes: Uint8Array, floor: number): Loaded {
    const { root, clockwork, fits } = this.input
    const { hash, manifest, templates } = openPack(bytes, { root, now: clockwork.now(), floor })
    const fitting = compileSet(templates, 'pack').filter(fits)
    return { hash, bytes, manifest, templates: fitting }
  }

  private tryLoad(bytes: Uint8Array | undefined, floor: number): Loaded | undefined {
    try {
      return bytes === undefined ? undefined : this.load(bytes, floor)
    } catch (error) {
      if (isSottoError(error)) return undefined
      throw error
    }
  }

  /** Changes over to the first template of the pack that carries. */
  private async apply(pack: Loaded, pointer: PackPointer, verdict: string): Promise<boolean> {
    const tunnel = this.tunnel!
    for (const template of pack.templates) {
      const outcome = await tunnel.trial(template)
      if (outcome === 'busy') return false
      if (outcome !== 'carried') continue
      if (this.kept.applied !== pack) this.relapses = 0
      this.keep({ applied: pack })
      if (pointer.stage === PackStage.current) this.confirm()
      tunnel.use(template)
      await this.input.looks.worked(template)
      await reportPack(tunnel, pack.hash, 'applied')
      return true
    }
    // A network that carries nothing at all says nothing about the pack.
    if ((await tunnel.trial(tunnel.look)) !== 'carried') return false
    await this.fail(pack.hash, verdict)
    return true
  }

  /** The pack does not work here: back to the last good one, and the gateway hears of it. */
  private async fail(hash: Uint8Array, verdict: string): Promise<void> {
    if (this.failed.size >= VERDICTS) this.failed.clear()
    this.failed.add(verdict)
    const { applied, good } = this.kept
    if (applied !== undefined && fastEqual(applied.hash, hash)) {
      this.keep({ applied: good !== undefined && fastEqual(good.hash, hash) ? undefined : good })
    }
    await reportPack(this.tunnel!, hash, 'failed')
  }

  /** The pack in use is everybody's: it is the good one from now on, and nothing below its floor comes back. */
  private confirm(): void {
    const { applied, good, floor } = this.kept
    if (applied === undefined) return
    const raised = Math.max(floor, applied.manifest.floor)
    if (good !== applied || floor !== raised) this.keep({ good: applied, floor: raised })
  }

  /** No pack: the template of the invite, unless a floor says that there was a promoted pack with one. */
  private async withdraw(): Promise<boolean> {
    const { looks, clockwork } = this.input
    const { applied, floor } = this.kept
    const isOver = applied !== undefined && applied.manifest.until * 1000 <= clockwork.now()
    if (applied === undefined || (floor > 0 && !isOver)) return true
    const outcome = await this.tunnel!.trial(looks.invited)
    if (outcome !== 'carried') return false
    this.keep({ applied: undefined, good: undefined })
    this.tunnel!.use(looks.invited)
    await looks.worked(looks.invited)
    return true
  }

  /** On disk first. @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE; then everything is as it was */
  private keep(change: Partial<Kept>): void {
    const next = { ...this.kept, ...change }
    this.input.shelf.save({ floor: next.floor, applied: next.applied?.bytes, good: next.good?.bytes })
    this.kept = next
    this.show()
  }

  private show(): void {
    this.input.looks.setPacks(this.kept.applied?.templates ?? [], this.kept.good?.templates ?? [])
  }
}
