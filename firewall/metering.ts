/** The flow meter at work in the broker: it delays and refuses exchanges, keeps what it measured, and takes the person's word. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Millis, Random } from '#protocol/bytes.ts'
import { utf8 } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { readPrivate, replacePrivate } from './folder.ts'
import { DialLimits } from './limits.ts'
import type { FlowView, Metered, MeterNews, MeterState } from './meter.ts'
import { Meter } from './meter.ts'
import { factsOf } from './meter-facts.ts'
import type { Amounts } from './meter-flow.ts'
import { MeterStore } from './meter-store.ts'
import { cutError } from './meter-texts.ts'
import type { EndpointInfo, ExchangeRequest, ExchangeResponse } from './permit.ts'

/** Waits; rejects where `signal` aborts. */
export type Wait = (ms: number, signal: AbortSignal | undefined) => Promise<void>

const realWait: Wait = async (ms, signal) => {
  await sleep(ms, undefined, signal === undefined ? {} : { signal })
}

/** Milliseconds between two looks for the person's word. */
const LOOK_MS = 1_000

export interface MeteringOptions {
  readonly folder: string
  /** 32 octets, for what is kept. */
  readonly key: Uint8Array
  readonly random: Random
  readonly now: () => Millis
  readonly wait?: Wait | undefined
  /** See `BrokerOptions.meterTimes`. */
  readonly meterTimes?: number | undefined
}

export class Metering {
  onNews: (news: MeterNews) => void = () => {}
  /** Told where the person's word for an endpoint was found. */
  onAllowed: (endpointId: string) => void = () => {}
  private readonly meter: Meter
  private readonly store: MeterStore
  private readonly now: () => Millis
  private readonly wait: Wait
  private readonly folder: string
  private lookedAt: Millis = Number.NEGATIVE_INFINITY
  private closed = false

  private constructor(options: MeteringOptions, stored: MeterState, store: MeterStore) {
    this.meter = new Meter(stored, options.now(), (news) => this.onNews(news), options.meterTimes)
    this.store = store
    this.now = options.now
    this.wait = options.wait ?? realWait
    this.folder = options.folder
  }

  /** @throws SottoError E_STATE_UNREADABLE */
  static async open(options: MeteringOptions): Promise<Metering> {
    const store = new MeterStore(options.folder, options.key, options.random)
    return new Metering(options, await store.read(), store)
  }

  /**
   * Lets an exchange begin: at once (undefined), or after a while. Never for more than an hour.
   * @throws SottoError E_FIREWALL_CUT, E_PATH_CLOSED (`signal` aborted)
   */
  clear(endpoint: Metered & { readonly name: string }, signal: AbortSignal | undefined): Promise<void> | undefined {
    const leave = this.meter.ask(endpoint, this.now())
    if ('delayMs' in leave && leave.delayMs === 0) return undefined
    return this.hold(endpoint, signal, leave)
  }

  private async hold(
    endpoint: Metered & { readonly name: string },
    signal: AbortSignal | undefined,
    before: ReturnType<Meter['ask']>,
  ): Promise<void> {
    const leave = (await this.heedsPerson(endpoint)) ? this.meter.ask(endpoint, this.now()) : before
    if ('cut' in leave) {
      this.saveIfDue()
      throw cutError(endpoint.name, leave.cut, leave.leftMs)
    }
    try {
      if (leave.delayMs > 0) await this.wait(leave.delayMs, signal)
    } catch (cause) {
      throw new SottoError('E_PATH_CLOSED', `The exchange with ${endpoint.name} was given up.`, { cause })
    }
  }

  carried(endpoint: Metered & { readonly host: string }, request: ExchangeRequest, response: ExchangeResponse): void {
    this.meter.carried(endpoint, this.now(), factsOf(endpoint.host, request, response))
    this.saveIfDue()
  }

  /** An exchange came to nothing. Paths break; what cannot be used was somebody's answer. */
  failed(endpoint: Metered, error: unknown): void {
    if (isSottoError(error, 'E_PATH_ANSWER')) this.count(endpoint, { malformed: 1 })
  }

  count(endpoint: Metered, amounts: Amounts): void {
    this.meter.count(endpoint, this.now(), amounts)
    this.saveIfDue()
  }

  /** What the core says of answers (`Judgements.take`). It is not asked for more than there can be. */
  said(endpoint: Metered, [authentic = 0, foreign = 0, up = 0, down = 0]: readonly number[]): void {
    const now = this.now()
    for (let i = 0; i < Math.min(foreign, DialLimits.exchanges); i++) {
      this.meter.judged(endpoint, now, false, i === 0 ? { up, down } : { up: 0, down: 0 })
    }
    if (authentic > 0) this.meter.judged(endpoint, now, true, { up: 0, down: 0 })
  }

  proved(endpoint: Metered): void {
    this.meter.proved(endpoint, this.now())
  }

  allow(endpoint: Metered): void {
    this.meter.allow(endpoint, this.now())
    void this.store.write(this.meter.save(this.now()))
  }

  view(endpoint: Metered): FlowView {
    return this.meter.view(endpoint, this.now())
  }

  /** For `EndpointInfo`: nothing where all is well. */
  note(endpoint: Metered): Pick<EndpointInfo, 'flow'> {
    const { condition, reason = '', since, leftMs } = this.view(endpoint)
    return condition === 'open' ? {} : { flow: { condition, reason, since, leftMs } }
  }

  /** Writes what is left to write. */
  async close(): Promise<void> {
    this.closed = true
    await this.store.write(this.meter.save(this.now()))
  }

  private saveIfDue(): void {
    const now = this.now()
    if (!this.closed && this.meter.wantsSaving(now)) void this.store.write(this.meter.save(now))
  }

  /** True where the person has just said that this endpoint is well. */
  private async heedsPerson(endpoint: Metered): Promise<boolean> {
    const now = this.now()
    if (Math.abs(now - this.lookedAt) < LOOK_MS) return false
    this.lookedAt = now
    const path = wordPath(this.folder)
    const word = await readPrivate(path, WORD_LIMIT).catch(() => undefined)
    if (word === undefined || Buffer.from(word).toString('latin1') !== endpoint.id) return false
    await rm(path, { force: true })
    this.allow(endpoint)
    this.onAllowed(endpoint.id)
    return true
  }
}

const WORD_LIMIT = 64
const wordPath = (folder: string): string => join(folder, 'allow')

/** The person's word for an endpoint, to the broker that holds the folder and is another process. The core cannot write here. */
export async function leaveWord(folder: string, endpointId: string): Promise<void> {
  await replacePrivate(wordPath(folder), utf8(endpointId))
}
