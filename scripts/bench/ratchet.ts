/** Messages sealed and opened in one thread, without storage: bodies of 256 octets, turns of 1, 5 and 50 messages. */
import { keyPair } from '#client/chat/keys.ts'
import type { ActiveRatchet, RatchetState } from '#client/chat/ratchet.ts'
import { openStep, sealStep, startReceiving, startSending } from '#client/chat/ratchet.ts'
import { sottoSuite } from '#client/chat/sotto-suite.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { Report, Row } from './report.ts'
import { median, round } from './report.ts'

const BODY = 256
const MESSAGES = 20_000
const ROUNDS = 5

function pair(): [ActiveRatchet, RatchetState] {
  const [root, own] = [randomBytes(32), keyPair(randomBytes(32))]
  const contexts = { sendContext: new Uint8Array(32), receiveContext: new Uint8Array(32) }
  const sender = startSending(sottoSuite, { root, remote: own.publicKey, own: keyPair(randomBytes(32)), ...contexts })
  return [sender!, startReceiving({ root, own, ...contexts })]
}

/** Two people taking turns of `turn` messages each; messages a second, sealed and opened. */
function talk(turn: number, messages: number): number {
  let [from, to] = pair() as [RatchetState, RatchetState]
  const body = randomBytes(BODY)
  const began = performance.now()
  for (let sent = 0; sent < messages; ) {
    for (let i = 0; i < turn; i++, sent++) {
      const sealed = sealStep(sottoSuite, from as ActiveRatchet, body)
      from = sealed.state
      const opened = openStep(sottoSuite, to, sealed.message, { fresh: randomBytes(32), now: 0 })
      if (opened.kind !== 'opened') throw new Error(`a message was ${opened.kind}`)
      to = opened.state
    }
    ;[from, to] = [to, from]
  }
  return (messages * 1000) / (performance.now() - began)
}

export async function ratchet(): Promise<Report> {
  const rows: Row[] = []
  const result: Record<string, unknown> = {}
  for (const turn of [1, 5, 50]) {
    talk(turn, MESSAGES / 10)
    const speeds = Array.from({ length: ROUNDS }, () => talk(turn, MESSAGES))
    const value = round(median(speeds), 0)
    const setting = `${turn} a turn, bodies of ${BODY} octets, no storage, one thread`
    rows.push({ what: 'sealed and opened', value, unit: 'messages/s', setting })
    result[`per_second_turn_${turn}`] = value
  }
  return { rows, result }
}
