/**
 * When a member's exchanges begin and how long polls are held: the part of a template that says nothing about form. Pure:
 * times are given, and everything drawn comes from a seed. It has to be secret, since who knows it can tell cover from content, and
 * new for each tunnel. All draw from the same ranges, as all who visit a website run the same script: habits of one member would
 * tell members apart, and from a browser.
 *
 *   poll ended  -> think time -> next poll            in use
 *   poll ended  -> rest, growing -> next poll         idle since `afterMs`
 *   sends       -> `exchanges` at once, then one every `gapMs`
 *   cover       -> constant: one send every `everyMs`, with content where there is some, never in between
 *                  adaptive: after a send some more without content, until the tail is used up
 */
import type { Millis } from '#protocol/bytes.ts'
import { readU32 } from '#protocol/bytes.ts'
import type { RhythmData } from './template.ts'

/** Octets of a seed. */
export const RHYTHM_SEED_LENGTH = 16

export interface Rhythm {
  /** Milliseconds to ask the gateway to hold the next poll. */
  hold(): Millis
  /** Earliest time of the next poll. */
  readonly pollAt: Millis
  /** Earliest time of the next send. */
  readonly sendAt: Millis
  /** When a send without content is due; undefined for never. */
  readonly coverAt: Millis | undefined
  /** Content goes up in cover's exchanges, of cover's size, and in no others. */
  readonly constant: boolean
  /** Octets that cover claims to carry. */
  readonly coverBytes: number
  /** A send or cover begins. */
  began(kind: 'send' | 'cover', now: Millis): void
  /** A poll has come back; `news`: it brought more than a sign of life. */
  polled(now: Millis, news: boolean): void
}

type Range = readonly [number, number]

/** `seed` 16 octets, secret; `now` when the tunnel begins. */
export function createRhythm(data: RhythmData, seed: Uint8Array, now: Millis): Rhythm {
  const next = generator(seed)
  const { holdMs, thinkMs = [0, 0], idle, burst, cover } = data
  const { gapMs = [0, 0] } = burst ?? {}
  const { everyMs = [0, 0] } = cover ?? {}
  const mode = cover?.mode ?? 'off'
  const draw = ([from, to]: Range): number => from + Math.floor(next() * (to - from + 1))

  let lastActive = now
  let rests = 0
  let pollAt = now
  let sendAt = now
  let burstLeft = burst?.exchanges ?? 0
  let tail = 0
  let coverAt = mode === 'constant' ? now + draw(everyMs) : undefined

  const restAfterPoll = (at: Millis): number => {
    if (idle === undefined || at - lastActive < idle.afterMs) return draw(thinkMs)
    return Math.min(idle.mostMs, Math.round(draw(idle.restMs) * idle.factor ** rests++))
  }
  const isActive = (at: Millis): void => {
    lastActive = at
    rests = 0
  }
  /** A pause as long as the longest gap makes room for another burst. */
  const spaceSends = (at: Millis): void => {
    if (burst === undefined) return
    if (at >= sendAt + gapMs[1]) burstLeft = burst.exchanges
    burstLeft--
    sendAt = burstLeft > 0 ? at : at + draw(gapMs)
  }
  const planCover = (kind: 'send' | 'cover', at: Millis): void => {
    if (mode === 'adaptive') tail = kind === 'send' ? draw(cover!.tail ?? [1, 1]) : tail - 1
    coverAt = mode === 'constant' || (mode === 'adaptive' && tail > 0) ? at + draw(everyMs) : undefined
  }
  return {
    hold: () => draw(holdMs),
    get pollAt() {
      return pollAt
    },
    get sendAt() {
      return sendAt
    },
    get coverAt() {
      return coverAt
    },
    constant: mode === 'constant',
    coverBytes: cover?.bytes ?? 0,
    began(kind, at) {
      spaceSends(at)
      planCover(kind, at)
      if (kind === 'cover') return
      isActive(at)
      // Whoever has just said something looks for the answer.
      pollAt = Math.min(pollAt, at + draw(thinkMs))
    },
    polled(at, news) {
      if (news) isActive(at)
      pollAt = at + restAfterPoll(at)
    },
  }
}

/** sfc32 (PractRand's), as numbers from 0 up to 1: small, quick, of long period. Nothing secret is made of it. */
function generator(seed: Uint8Array): () => number {
  if (seed.length !== RHYTHM_SEED_LENGTH) throw new RangeError(`a seed has ${RHYTHM_SEED_LENGTH} octets`)
  let [a, b, c, counter] = [readU32(seed, 0), readU32(seed, 4), readU32(seed, 8), readU32(seed, 12)]
  const next = (): number => {
    const sum = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = (b ^ (b >>> 9)) >>> 0
    b = (c + (c << 3)) >>> 0
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0
    return sum / 2 ** 32
  }
  for (let round = 0; round < 12; round++) next()
  return next
}
