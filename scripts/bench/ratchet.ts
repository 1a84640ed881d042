/**
 * Messages sealed and opened in one thread, without storage: bodies of 256 octets, turns of 1, 5 and 50 messages; with keys
 * of ML-KEM exchanged on the way, against the same ratchet without. Both take turns in one run.
 */
import { ANSWERING, OFFERING } from '#client/chat/healing.ts'
import { keyPair } from '#client/chat/keys.ts'
import type { ActiveRatchet, RatchetState } from '#client/chat/ratchet.ts'
import { openStep, sealStep, startReceiving, startSending } from '#client/chat/ratchet.ts'
import { RATCHET_OVERHEAD, sottoSuite } from '#client/chat/sotto-suite.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { Report, Row } from './report.ts'
import { median, round } from './report.ts'

const BODY = 256
const MESSAGES = 10_000
const ROUNDS = 9

function pair(heals: boolean): [ActiveRatchet, RatchetState] {
  const [root, prekey, own] = [randomBytes(32), keyPair(randomBytes(32)), keyPair(randomBytes(32))]
  const contexts = { sendContext: new Uint8Array(32), receiveContext: new Uint8Array(32) }
  const healing = heals ? OFFERING : undefined
  const sender = startSending(sottoSuite, { root, remote: prekey.publicKey, own, healing, ...contexts })
  const answering = heals ? ANSWERING : undefined
  return [sender!, startReceiving({ root, own: prekey, healing: answering, ...contexts })]
}

interface Talk {
  /** Messages a second, sealed and opened. */
  readonly speed: number
  /** Octets a message, beside body and ratchet's header. */
  readonly carried: number
}

/** Two people taking turns of `turn` messages each. */
function talk(turn: number, messages: number, heals: boolean): Talk {
  let [from, to] = pair(heals) as [RatchetState, RatchetState]
  const body = randomBytes(BODY)
  const now = Date.now()
  let octets = 0
  const began = performance.now()
  for (let sent = 0; sent < messages; ) {
    for (let i = 0; i < turn; i++, sent++) {
      const sealed = sealStep(sottoSuite, from as ActiveRatchet, body)
      from = sealed.state
      octets += sealed.message.length
      const opened = openStep(sottoSuite, to, sealed.message, { random: randomBytes, now })
      if (opened.kind !== 'opened') throw new Error(`a message was ${opened.kind}`)
      to = opened.state
    }
    ;[from, to] = [to, from]
  }
  const seconds = (performance.now() - began) / 1000
  return { speed: messages / seconds, carried: octets / messages - BODY - RATCHET_OVERHEAD }
}

export async function ratchet(): Promise<Report> {
  const rows: Row[] = []
  const result: Record<string, unknown> = {}
  for (const turn of [1, 5, 50]) {
    for (const heals of [true, false]) talk(turn, MESSAGES / 5, heals)
    const rounds = Array.from({ length: ROUNDS }, () => {
      const [healed, plain] = [talk(turn, MESSAGES, true), talk(turn, MESSAGES, false)]
      return { healed, plain, ratio: healed.speed / plain.speed }
    })
    const setting = `${turn} a turn, bodies of ${BODY} octets, no storage, one thread`
    const speed = round(median(rounds.map(({ healed }) => healed.speed)), 0)
    const plain = round(median(rounds.map(({ plain: each }) => each.speed)), 0)
    const ratio = round(median(rounds.map(({ ratio: each }) => each)), 3)
    const carried = round(median(rounds.map(({ healed }) => healed.carried)), 1)
    rows.push(
      { what: 'sealed and opened', value: speed, unit: 'messages/s', setting },
      { what: 'without ML-KEM', value: plain, unit: 'messages/s', setting },
      { what: 'of that', value: ratio, unit: '', setting },
      { what: 'for ML-KEM', value: carried, unit: 'octets a message', setting },
    )
    Object.assign(result, {
      [`per_second_turn_${turn}`]: speed,
      [`plain_per_second_turn_${turn}`]: plain,
      [`healing_ratio_turn_${turn}`]: ratio,
      [`healing_octets_turn_${turn}`]: carried,
    })
  }
  return { rows, result }
}
