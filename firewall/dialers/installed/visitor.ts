/** One browser for one endpoint: its start, its exchanges, its end; after a crash it starts anew with the next exchange. */
import { concat, hex } from '#protocol/bytes.ts'
import type { SottoError } from '#protocol/errors.ts'
import { isSottoError } from '#protocol/errors.ts'
import { BrowserLimits, DialLimits } from '../../limits.ts'
import type { ExchangeOptions, ExchangeResponse } from '../../permit.ts'
import { unpackedFields } from '../decoded.ts'
import type { DialTarget } from '../dialer.ts'
import { pathError } from '../path-error.ts'
import { Gate } from './gate.ts'
import type { InstalledDialerOptions } from './installed.ts'
import { systemMachine } from './machine.ts'
import type { PageRequest } from './page-script.ts'
import type { Program } from './program.ts'
import { startBrowser } from './program.ts'
import type { PinnedKey } from './tab.ts'
import { learnKey, Tab } from './tab.ts'

export interface VisitorInput extends InstalledDialerOptions {
  readonly target: DialTarget
  /** What is known of pinned certificates, by certificate: kept while the broker runs. */
  readonly pins: Map<string, PinnedKey>
  readonly dialed: (error?: SottoError) => void
  readonly refused: () => void
}

interface Visit {
  readonly gate: Gate
  readonly program: Program
  readonly tab: Tab
}

export class Visitor {
  private readonly input: VisitorInput
  private current: { readonly visit: Promise<Visit> } | undefined
  /** Ways on which TLS turned out to be wrong: the others go first. */
  private readonly doubted = new Set<string>()
  private readonly closed = new AbortController()
  private readonly ends = new Set<Promise<void>>()
  private last = 0
  private underWay = 0

  constructor(input: VisitorInput) {
    this.input = input
  }

  /** @throws SottoError E_PATH_*, E_PROXY_*, E_NET_PORTAL, E_BROWSER_FAILED */
  async exchange(request: PageRequest, options: ExchangeOptions): Promise<ExchangeResponse> {
    const { name } = this.input.target
    const given = options.signal === undefined ? [] : [options.signal]
    const signal = AbortSignal.any([this.closed.signal, ...given])
    const limit = new Limit(signal, name)
    limit.set(options.timeoutMs, 'while waiting for the answer')
    this.underWay++
    const id = ++this.last
    const held = this.visiting()
    let visit: Visit | undefined
    try {
      visit = await limit.race(held.visit)
      if (options.fresh && this.underWay === 1) visit.gate.drop()
      return await this.carry(visit, id, request, limit)
    } catch (error) {
      visit?.tab.abort(id)
      if (!isSottoError(error)) this.leave(held)
      throw this.failed(error, visit)
    } finally {
      limit.clear()
      this.underWay--
    }
  }

  async close(): Promise<void> {
    this.closed.abort()
    this.leave(this.current)
    await Promise.all(this.ends)
  }

  private async carry(visit: Visit, id: number, request: PageRequest, limit: Limit): Promise<ExchangeResponse> {
    const { target, stallMs = DialLimits.stallMs, answerMs = DialLimits.answerMs } = this.input
    const { status, headers } = await limit.race(visit.tab.begin(id, request))
    const late = performance.now() + answerMs
    const pieces: Uint8Array[] = []
    let received = 0
    for (let done = false; !done; ) {
      limit.set(Math.max(1, Math.min(stallMs, late - performance.now())), 'in the middle of the answer')
      const piece = await limit.race(visit.tab.read(id))
      done = piece.done
      pieces.push(new Uint8Array(Buffer.from(piece.octets, 'base64')))
      received += pieces.at(-1)!.length
      if (received > DialLimits.responseBytes) throw pathError('E_PATH_ANSWER', target.name, 'it is too large')
    }
    const isPacked = headers.some(([field]) => field.toLowerCase() === 'content-encoding')
    const body = pieces.length === 1 ? pieces[0]! : concat(...pieces)
    // The browser has unpacked it.
    return { status, headers: isPacked ? unpackedFields(headers) : headers, body }
  }

  /** As one of our errors: what is none is the browser's, or its tab's, that is gone. */
  private failed(error: unknown, visit: Visit | undefined): SottoError {
    if (!isSottoError(error)) {
      const detail = this.closed.signal.aborted ? undefined : 'the browser has ended'
      const code = this.closed.signal.aborted ? 'E_PATH_CLOSED' : 'E_PATH_RESET'
      return pathError(code, this.input.target.name, detail, error)
    }
    // Where one connection has fallen silent the others have, mostly.
    if (error.code === 'E_PATH_TIMEOUT' && this.underWay === 1) visit?.gate.drop()
    if (error.code === 'E_PATH_TLS') visit?.gate.doubt()
    return error
  }

  private visiting(): { readonly visit: Promise<Visit> } {
    if (this.current !== undefined) return this.current
    const { promise, resolve } = Promise.withResolvers<Visit>()
    const made = { visit: promise }
    this.current = made
    const visit = this.begin(() => this.leave(made))
    resolve(visit)
    visit.catch(() => this.leave(made))
    return made
  }

  /** `ended`: once the visit is over without our doing. */
  private async begin(ended: () => void): Promise<Visit> {
    const { target, route, machine = systemMachine, connectMs = DialLimits.connectMs, dialed, refused } = this.input
    // Only one at a time: a site that cannot be reached shall not leave browsers behind.
    await Promise.all(this.ends)
    const gate = await Gate.open({ target, route, machine, connectMs, dialed, refused, doubted: this.doubted })
    let program: Program | undefined
    try {
      const pinned = target.certificate && (await this.pinnedKey(gate, target.certificate))
      program = await this.start(gate, pinned?.key, ended)
      const tab = await this.shown(Tab.open({ cdp: program.cdp, gate, target, pinned }))
      if (this.closed.signal.aborted) throw pathError('E_PATH_CLOSED', target.name)
      tab.onForeign = ended
      return { gate, program, tab }
    } catch (error) {
      if (isSottoError(error, 'E_PATH_TLS')) {
        gate.doubt()
        // It may have been renewed with another key.
        if (target.certificate !== undefined) this.input.pins.delete(hex(target.certificate))
      }
      await Promise.all([program?.close(), gate.close()])
      throw error
    }
  }

  private async pinnedKey(gate: Gate, pin: Uint8Array): Promise<PinnedKey> {
    const { target, pins } = this.input
    const known = pins.get(hex(pin))
    if (known !== undefined) return known
    const program = await this.start(gate, undefined, () => {})
    try {
      const learned = await this.shown(learnKey({ cdp: program.cdp, gate, target, pinned: undefined }, pin))
      pins.set(hex(pin), learned)
      return learned
    } finally {
      await program.close()
      gate.drop()
    }
  }

  private start(gate: Gate, key: string | undefined, onEnd: () => void): Promise<Program> {
    const { browser, folder, machine = systemMachine } = this.input
    return startBrowser({ browser, machine, folder, gate: gate.port, key, onEnd })
  }

  private async shown<T>(work: Promise<T>): Promise<T> {
    const limit = new Limit(this.closed.signal, this.input.target.name)
    limit.set(BrowserLimits.visitMs, 'while the page was loading')
    try {
      return await limit.race(work)
    } finally {
      limit.clear()
    }
  }

  /** The browser ends; what is under way on it fails, and the next exchange begins with another one. */
  private leave(held: { readonly visit: Promise<Visit> } | undefined): void {
    if (held === undefined || this.current !== held) return
    this.current = undefined
    const end = held.visit.then(
      async ({ gate, program }) => void (await Promise.all([program.close(), gate.close()])),
      () => {},
    )
    this.ends.add(end)
    void end.finally(() => this.ends.delete(end))
  }
}

/** How long something may take, and who may give it up. */
class Limit {
  private readonly name: string
  private readonly signal: AbortSignal
  private readonly over = Promise.withResolvers<never>()
  private timer: NodeJS.Timeout | undefined

  constructor(signal: AbortSignal, name: string) {
    this.name = name
    this.signal = signal
    this.over.promise.catch(() => {})
    if (signal.aborted) this.aborted()
    signal.addEventListener('abort', this.aborted, { once: true })
  }

  set(ms: number, phase: string): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.over.reject(pathError('E_PATH_TIMEOUT', this.name, phase)), ms)
  }

  race<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {})
    return Promise.race([this.over.promise, work])
  }

  clear(): void {
    clearTimeout(this.timer)
    this.signal.removeEventListener('abort', this.aborted)
  }

  private readonly aborted = (): void => {
    this.over.reject(pathError('E_PATH_CLOSED', this.name, undefined, this.signal.reason))
  }
}
