/** A gateway's connection to a tracker: opened when the first member asks, and again after it broke. */
import { connect, type Socket } from 'node:net'
import { randomBytes } from '#protocol/crypto/random.ts'
import { initiate } from '#protocol/noise.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import type { TrunkItem } from '#protocol/tracker/trunk.ts'
import { readGreeting, TrunkLine } from './trunk-line.ts'
import { TRUNK_PROLOGUE } from './trunk-server.ts'

/** Milliseconds that queries wait for those of other members to go with: a packet for each costs more than the query. */
const GATHER_MS = 20
/** Milliseconds until an answer is not waited for any more. */
const ANSWER_MS = 20_000
/** Milliseconds after a failure within which nothing is tried. */
const RETRY_MS = 2_000

export interface TrunkPlace {
  readonly host: string
  readonly port: number
  /** X25519 key of the tracker. */
  readonly key: Uint8Array
}

/** Milliseconds. */
export interface TrunkTimes {
  readonly gatherMs: number
  readonly answerMs: number
  readonly retryMs: number
}

interface Asked {
  readonly resolve: (answer: Uint8Array | undefined) => void
  readonly late: NodeJS.Timeout
}

export class Trunk {
  private readonly place: TrunkPlace
  private readonly times: TrunkTimes
  private readonly asked = new Map<number, Asked>()
  private socket: Socket | undefined
  private line: TrunkLine | undefined
  private waiting: TrunkItem[] = []
  private nextId = 0
  private failedAt = Number.NEGATIVE_INFINITY

  constructor(place: TrunkPlace, times: Partial<TrunkTimes> = {}) {
    this.place = place
    this.times = { gatherMs: GATHER_MS, answerMs: ANSWER_MS, retryMs: RETRY_MS, ...times }
  }

  /** The tracker's answer to a sealed query; empty where it is not sealed to it; undefined where it is not reached. */
  ask(box: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.asked.size >= TrackerLimits.openQueries || !this.open()) return Promise.resolve(undefined)
    const id = this.nextId++
    return new Promise((resolve) => {
      const late = setTimeout(() => this.settle(id, undefined), this.times.answerMs)
      this.asked.set(id, { resolve, late })
      if (this.line === undefined) this.waiting.push({ id, bytes: box })
      else this.line.send({ id, bytes: box })
    })
  }

  close(): void {
    this.socket?.destroy()
  }

  private settle(id: number, answer: Uint8Array | undefined): void {
    const asked = this.asked.get(id)
    if (asked === undefined) return
    this.asked.delete(id)
    clearTimeout(asked.late)
    asked.resolve(answer)
  }

  /** False shortly after a failure. */
  private open(): boolean {
    if (this.socket !== undefined) return true
    if (performance.now() - this.failedAt < this.times.retryMs) return false
    const step = initiate({
      prologue: TRUNK_PROLOGUE,
      responderStatic: this.place.key,
      ephemeral: randomBytes(32),
      payload: () => new Uint8Array(0),
    })
    if (step === undefined) return false
    const socket = connect({ host: this.place.host, port: this.place.port, noDelay: true })
    this.socket = socket
    socket.on('error', () => {}) // the close that follows says all there is to say
    socket.once('close', () => this.lost())
    socket.setTimeout(this.times.answerMs, () => {
      // No word for so long, and somebody waits for one: this connection leads nowhere.
      if (this.asked.size > 0) socket.destroy()
    })
    socket.write(step.message)
    readGreeting(socket, (greeting, rest) => {
      const result = step.finish(greeting)
      if (result === undefined) return void socket.destroy()
      this.ready(socket, { sendKey: result.initiatorKey, receiveKey: result.responderKey })
      if (rest.length > 0) this.line!.take(rest)
    })
    return true
  }

  private ready(socket: Socket, keys: { readonly sendKey: Uint8Array; readonly receiveKey: Uint8Array }): void {
    const onItems = (items: readonly TrunkItem[]): void => {
      for (const { id, bytes } of items) this.settle(id, bytes)
    }
    const line = new TrunkLine(socket, { ...keys, gatherMs: this.times.gatherMs, onItems })
    this.line = line
    socket.on('data', (bytes) => line.take(bytes as Buffer))
    for (const item of this.waiting.splice(0)) line.send(item)
  }

  private lost(): void {
    this.failedAt = performance.now()
    this.socket = undefined
    this.line = undefined
    this.waiting = []
    for (const id of [...this.asked.keys()]) this.settle(id, undefined)
  }
}
