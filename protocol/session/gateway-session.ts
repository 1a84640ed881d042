/** The gateway's end of a session: expects tokens, opens requests, seals answers. Spec sections 3.2 and 4-7. */

import type { Millis, Random } from '../bytes.ts'
import { concat, empty, fromLatin1, latin1 } from '../bytes.ts'
import { Limits } from '../constants.ts'
import type { Aead } from '../crypto/aead.ts'
import { mlkem768 } from '../crypto/mlkem.ts'
import { bodyLength } from '../parcel.ts'
import { AgreementType, ControlReader, encodeControl, OFFER_KEM_LENGTH } from './agreement.ts'
import { Epoch, sessionTranscript } from './epoch.ts'
import { CloseCode } from './frames.ts'
import type { Accepted, MultiplexerEvents } from './multiplexer.ts'
import { Multiplexer } from './multiplexer.ts'
import type { Priority, Stream } from './stream.ts'
import type { Expected, TokenTable } from './token-table.ts'
import { TokenWindow } from './token-table.ts'

/** Gateway's half of a rekey: handshake.ts `respondRekey` with the gateway's secret and the member's cohort. */
export type NoiseAnswer = (
  message: Uint8Array,
  prologue: Uint8Array,
) => { readonly reply: Uint8Array; readonly secret: Uint8Array } | undefined

export interface GatewaySessionInput {
  readonly root: Uint8Array
  readonly aead: Aead
  readonly now: Millis
  readonly random: Random
  readonly tokens: TokenTable
  readonly noise: NoiseAnswer
  readonly events: GatewaySessionEvents
}

export interface GatewaySessionEvents extends MultiplexerEvents {
  /** The keys of this exchange are about to go: answer it now, or never. */
  expiring?(number: number): void
}

/** `fresh`: taken in. `repeat`: a bit-identical retry of an exchange that was taken in before. */
export type Received = ({ readonly kind: 'fresh' } & Accepted) | { readonly kind: 'repeat' }

export class GatewaySession implements MultiplexerEvents {
  readonly mux: Multiplexer
  private readonly tokens: TokenTable
  private readonly random: Random
  private readonly noise: NoiseAnswer
  private readonly events: GatewaySessionEvents
  /** As `latin1`: as an array it would cost five times as much for every idle session. */
  private readonly transcript: string
  private readonly control = new ControlReader()
  /** Newest last. More than one only while a key agreement settles. */
  private windows: readonly TokenWindow[]
  /** Numbers taken in whose answers may still be asked for again. */
  private readonly used = new Map<number, Epoch>()
  private highest = 0
  private newestUsed = 0
  private switchedAt: Millis
  /** Time of the last authentic request, milliseconds. */
  lastSeen: Millis

  constructor(input: GatewaySessionInput) {
    this.tokens = input.tokens
    this.random = input.random
    this.noise = input.noise
    this.events = input.events
    this.transcript = latin1(sessionTranscript(input.root))
    this.lastSeen = input.now
    this.switchedAt = input.now
    this.mux = new Multiplexer('gateway', this)
    this.mux.control.onData = (bytes) => this.onControl(bytes)
    this.windows = [new TokenWindow(new Epoch(0, input.aead, input.root), this, this.tokens, 0)]
  }

  /**
   * A request whose token led here, of the kind that `binding` names. undefined where it is not authentic; then nothing
   * has changed.
   */
  receive(now: Millis, expected: Expected, parcel: Uint8Array, binding: Uint8Array = empty): Received | undefined {
    const { epoch, number, token } = expected
    if (!this.isExpected(expected)) return undefined
    const body = epoch.openRequest(number, concat(token, binding), parcel)
    if (body === undefined) return undefined
    const isRepeat = this.used.has(number)
    if (!isRepeat && epoch.index < this.newestUsed && this.isOverlapOver(now)) return undefined
    this.lastSeen = now
    if (isRepeat) {
      this.mux.repeats++
      return { kind: 'repeat' }
    }
    this.used.set(number, epoch)
    this.highest = Math.max(this.highest, number)
    this.use(now, epoch, number)
    for (const window of this.windows) window.advance(this.highest)
    if (epoch.index > 0) this.mux.ready = true
    const accepted = this.mux.accept(number, body, epoch.index > 0)
    this.retire(now)
    const open = Math.max(this.mux.unacknowledged, this.used.size)
    if (open > Limits.unackedParcels) this.mux.close(CloseCode.limit)
    return { kind: 'fresh', hold: accepted?.hold, room: accepted?.room }
  }

  /**
   * Asked again once the whole request is here: its body may have come long after its token, and what was settled or
   * renewed meanwhile must not be taken in, or answered, a second time.
   */
  private isExpected({ epoch, number, token }: Expected): boolean {
    const still = this.tokens.find(latin1(token))
    return still?.session === this && still.epoch === epoch && still.number === number
  }

  /**
   * The answer of an exchange taken in by `receive`, of the same kind: a parcel of exactly `length` octets. Once for each
   * number.
   */
  answer(number: number, length: number, binding: Uint8Array = empty): Uint8Array {
    const epoch = this.used.get(number)
    if (epoch === undefined) throw new RangeError(`exchange ${number} has no request to answer`)
    const services = epoch.index > 0 && this.mux.ready
    const body = this.mux.build(number, bodyLength(length), services)
    return epoch.sealAnswer(number, concat(epoch.token(number), binding), body)
  }

  /** Octets worth sending in the answer of `number`; stops counting at `enough`. */
  pending(enough: number, most?: Priority): number {
    return this.mux.pending(enough, most)
  }

  /** The client has the answer, or will never have it: its token is not expected any more. */
  private settle(number: number): void {
    this.used.delete(number)
    for (const window of this.windows) window.forget(number)
  }

  private onControl(bytes: Uint8Array): void {
    this.mux.control.consume(bytes.length)
    const messages = this.control.push(bytes)
    if (messages === undefined) return this.mux.close(CloseCode.protocol)
    for (const { type, content } of messages) {
      if (type !== AgreementType.offer || !this.agree(content)) return this.mux.close(CloseCode.protocol)
    }
  }

  /** Answers an offer; false where it is no valid one. */
  private agree(offer: Uint8Array): boolean {
    const current = this.windows.at(-1)!
    const noise = this.answerNoise(offer.subarray(OFFER_KEM_LENGTH), current.epoch)
    const kem = mlkem768.encapsulateBy(offer.subarray(0, OFFER_KEM_LENGTH), this.random)
    if (noise === undefined || kem === undefined || this.windows.length > 2) return false
    const answer = concat(kem.ciphertext, noise.reply)
    const epoch = current.epoch.next(kem.shared, noise.secret, offer, answer)
    this.windows = this.windows.concat(new TokenWindow(epoch, this, this.tokens, this.highest))
    this.mux.control.write(encodeControl(AgreementType.answer, answer))
    return true
  }

  /** The first agreement has no Noise part, every later one must have it. */
  private answerNoise(message: Uint8Array, epoch: Epoch): { reply: Uint8Array; secret: Uint8Array } | undefined {
    if (epoch.index > 0) return this.noise(message, fromLatin1(this.transcript))
    return message.length === 0 ? { reply: empty, secret: new Uint8Array(0) } : undefined
  }

  /** Number `number` came under `epoch`: only lower ones may still come under those before it. */
  private use(now: Millis, epoch: Epoch, number: number): void {
    if (epoch.index > this.newestUsed) {
      this.newestUsed = epoch.index
      this.switchedAt = now
    }
    for (const window of this.windows) if (window.epoch.index < epoch.index) window.endAt(number)
  }

  /**
   * Epochs before the newest one in use end when nothing of them is outstanding, and after the overlap in any case;
   * requests under them are strangers' from then on.
   */
  private retire(now: Millis): void {
    const isOver = this.isOverlapOver(now)
    while (this.windows[0]!.epoch.index < this.newestUsed) {
      if (!isOver && this.isOutstanding(this.windows[0]!)) return
      const [old, ...newer] = this.windows
      this.release(old!.epoch)
      old!.close()
      old!.epoch.wipe()
      this.windows = newer
    }
  }

  private isOverlapOver(now: Millis): boolean {
    return now - this.switchedAt >= Limits.rekeyOverlapMs
  }

  /** What is still held under this epoch is answered while its keys are there. */
  private release(epoch: Epoch): void {
    for (const [number, under] of [...this.used]) {
      if (under !== epoch) continue
      this.events.expiring?.(number)
      this.used.delete(number)
    }
  }

  private isOutstanding(window: TokenWindow): boolean {
    return !window.isEmpty || [...this.used.values()].includes(window.epoch)
  }

  // ---- what the multiplexer reports --------------------------------------------------------------------------------------

  stream(stream: Stream): void {
    this.events.stream?.(stream)
  }

  wake(): void {
    this.events.wake?.()
  }

  acknowledged(number: number): void {
    this.settle(number)
    this.events.acknowledged?.(number)
  }

  abandoned(number: number): void {
    this.events.abandoned?.(number)
    this.settle(number)
  }

  /** Takes every token of this session out of the table. */
  closed(code: number): void {
    for (const window of this.windows) window.close()
    this.events.closed?.(code)
  }

  close(code: number): void {
    this.mux.close(code)
  }

  /** The session is over and everything is answered. */
  wipe(): void {
    for (const { epoch } of this.windows) epoch.wipe()
  }
}
