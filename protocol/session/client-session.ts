/** The client's end of a session: numbers exchanges, seals requests, opens answers, renews the keys. Spec sections 4-7. */

import type { Millis, Random } from '../bytes.ts'
import { concat, empty } from '../bytes.ts'
import { Limits } from '../constants.ts'
import type { Aead } from '../crypto/aead.ts'
import { mlkem768 } from '../crypto/mlkem.ts'
import { bodyLength } from '../parcel.ts'
import { AgreementType, ANSWER_KEM_LENGTH, ControlReader, encodeControl } from './agreement.ts'
import { Epoch, sessionTranscript } from './epoch.ts'
import { CloseCode } from './frames.ts'
import type { MultiplexerEvents, Wanted } from './multiplexer.ts'
import { Multiplexer } from './multiplexer.ts'
import type { Priority } from './stream.ts'

/** One request to send. A retry sends these very bytes again. */
export interface Outgoing {
  readonly number: number
  readonly token: Uint8Array
  readonly parcel: Uint8Array
}

/** The Noise part of a rekey: what goes out, and what turns the gateway's reply into 32 secret octets. */
export interface NoiseOffer {
  readonly first: Uint8Array
  finish(reply: Uint8Array): Promise<Uint8Array | undefined>
}

export interface ClientSessionInput {
  readonly root: Uint8Array
  readonly aead: Aead
  readonly now: Millis
  readonly random: Random
  readonly events: MultiplexerEvents & {
    /** Hybrid keys are in use: services may speak. */
    ready?(): void
  }
}

interface Flight {
  readonly epoch: Epoch
  /** Token and binding: the answer is sealed under the same. */
  readonly associated: Uint8Array
}

interface Offer {
  readonly content: Uint8Array
  readonly secretKey: Uint8Array
  readonly noise: NoiseOffer | undefined
}

export class ClientSession {
  readonly mux: Multiplexer
  /** Prologue of every rekey of this session. */
  readonly transcript: Uint8Array
  private readonly events: ClientSessionInput['events']
  private readonly random: Random
  private readonly flights = new Map<number, Flight>()
  private readonly control = new ControlReader()
  private epoch: Epoch
  private previous: Epoch | undefined
  /** When the keys in use were agreed. */
  private agreedAt: Millis
  private lastAnswer: Millis
  private number = 0
  /** Highest number known to have reached the gateway: it expects `Limits.tagWindow` tokens beyond it. */
  private confirmed = 0
  private offer: Offer | undefined

  constructor(input: ClientSessionInput) {
    this.transcript = sessionTranscript(input.root)
    this.epoch = new Epoch(0, input.aead, input.root)
    this.events = input.events
    this.random = input.random
    this.agreedAt = input.now
    this.lastAnswer = input.now
    this.mux = new Multiplexer('client', {
      ...input.events,
      acknowledged: (number) => {
        this.confirmed = Math.max(this.confirmed, number)
        input.events.acknowledged?.(number)
      },
    })
    this.mux.control.onData = (bytes) => this.onControl(bytes)
  }

  get inFlight(): number {
    return this.flights.size
  }

  /** False while the gateway could not expect one more number; failed exchanges have to be retried first. */
  get mayTake(): boolean {
    return this.number < this.confirmed + Limits.tagWindow && this.flights.size < Limits.parkedExchanges
  }

  /** True where no number is left and nothing is under way that could bring one: the session cannot go on. */
  get isSpent(): boolean {
    return this.flights.size === 0 && !this.mayTake
  }

  /** False where the gateway may not expect `number` any more: others went on without it, or its keys end. Give it up. */
  mayRetry(now: Millis, number: number): boolean {
    const isOld = (this.flights.get(number)?.epoch ?? this.epoch) !== this.epoch
    if (isOld && now - this.agreedAt >= Limits.rekeyOverlapMs / 2) return false
    return this.number - number < Limits.tokensBehind
  }

  /** Octets worth sending now; stops counting at `enough`. */
  pending(enough: number, most?: Priority): number {
    return this.mux.pending(enough, most)
  }

  /**
   * The next request: a parcel of exactly `length` octets. `wanted`: of its answer, which comes at once where no hold is
   * said, and as large as any where no room is. `binding`: of the kind of request that will carry it; empty only where no template
   * is involved.
   */
  take(length: number, wanted: Wanted = {}, binding: Uint8Array = empty): Outgoing {
    return this.next(binding, (number) => this.mux.build(number, bodyLength(length), this.epoch.index > 0, wanted))
  }

  /** As `take`, with nothing in it that would be missed: to try whether a kind of request gets through. */
  takeBare(length: number, binding: Uint8Array = empty): Outgoing {
    return this.next(binding, (number) => this.mux.buildBare(number, bodyLength(length)))
  }

  private next(binding: Uint8Array, build: (number: number) => Uint8Array): Outgoing {
    const { epoch } = this
    const number = ++this.number
    const token = epoch.token(number)
    const associated = concat(token, binding)
    const body = build(number)
    this.flights.set(number, { epoch, associated })
    this.retire()
    return { number, token, parcel: epoch.sealRequest(number, associated, body) }
  }

  /** Answer of exchange `number`. False where it is not authentic; then nothing has changed. */
  receive(now: Millis, number: number, parcel: Uint8Array): boolean {
    const flight = this.flights.get(number)
    const body = flight?.epoch.openAnswer(number, flight.associated, parcel)
    if (flight === undefined || body === undefined) return false
    this.flights.delete(number)
    this.lastAnswer = now
    this.mux.acknowledge(number)
    this.confirmed = Math.max(this.confirmed, number)
    this.mux.accept(number, body, flight.epoch.index > 0)
    this.retire()
    return true
  }

  /** Exchange `number` will not be tried again: its content goes out anew, and the gateway is told. */
  abandon(number: number): void {
    if (!this.flights.delete(number)) return
    this.mux.lose(number)
    this.mux.sayLost(number)
  }

  /** New keys have been offered, and the gateway's answer is not here, or not whole. */
  get isAgreeing(): boolean {
    return this.offer !== undefined
  }

  rekeyDue(now: Millis): boolean {
    return this.mux.ready && !this.isAgreeing && now - this.agreedAt >= Limits.rekeyMs
  }

  /** Begins a key agreement. Without `noise`: the first one of a session, which has to come before everything else. */
  renew(noise?: NoiseOffer): void {
    const { publicKey, secretKey } = mlkem768.keygen(this.random(64))
    const content = noise === undefined ? publicKey : concat(publicKey, noise.first)
    this.offer = { content, secretKey, noise }
    this.mux.control.write(encodeControl(AgreementType.offer, content))
  }

  private onControl(bytes: Uint8Array): void {
    this.mux.control.consume(bytes.length)
    const messages = this.control.push(bytes)
    if (messages === undefined) return this.mux.close(CloseCode.protocol)
    for (const { type, content } of messages) {
      if (type !== AgreementType.answer) return this.mux.close(CloseCode.protocol)
      // What fails here is on our side (the firewall has gone): the session cannot go on.
      this.agree(content).catch(() => this.mux.close(CloseCode.gone))
    }
  }

  private async agree(answer: Uint8Array): Promise<void> {
    const { offer } = this
    if (offer === undefined || answer.length < ANSWER_KEM_LENGTH) return this.mux.close(CloseCode.protocol)
    // An offer is answered once: a second answer finds none.
    this.offer = undefined
    this.agreedAt = this.lastAnswer
    const shared = mlkem768.decapsulate(offer.secretKey, answer.subarray(0, ANSWER_KEM_LENGTH))
    const noise = await finishNoise(offer.noise, answer.subarray(ANSWER_KEM_LENGTH))
    if (this.mux.isClosed) return
    if (shared === undefined || noise === undefined) return this.mux.close(CloseCode.protocol)
    this.previous = this.epoch
    this.epoch = this.epoch.next(shared, noise, offer.content, answer)
    if (!this.mux.ready) {
      this.mux.ready = true
      this.events.ready?.()
    }
    this.events.wake?.()
  }

  /** Wipes the keys before the last agreement once nothing in flight needs them. */
  private retire(): void {
    const { previous } = this
    if (previous === undefined) return
    for (const flight of this.flights.values()) if (flight.epoch === previous) return
    previous.wipe()
    this.previous = undefined
  }
}

async function finishNoise(noise: NoiseOffer | undefined, reply: Uint8Array): Promise<Uint8Array | undefined> {
  if (noise === undefined) return reply.length === 0 ? new Uint8Array(0) : undefined
  return await noise.finish(reply)
}
