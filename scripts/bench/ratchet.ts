/**
 * Messages sealed and opened in one thread, without storage: bodies of 256 octets, turns of 1, 5 and 50 messages; with keys
 * of ML-KEM exchanged on the way, against the same ratchet without. Both take turns in one run, under the flags of Node that
 * the client has. Then the same with the session kept as the client keeps it: on either side one transaction a message, on
 * disk before the message goes on.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ANSWERING, OFFERING } from '#client/chat/healing.ts'
import { keyPair } from '#client/chat/keys.ts'
import type { ActiveRatchet, RatchetState } from '#client/chat/ratchet.ts'
import { openStep, sealStep, startReceiving, startSending } from '#client/chat/ratchet.ts'
import { CHAT_TABLES, Records } from '#client/chat/records.ts'
import { RATCHET_OVERHEAD, sottoSuite } from '#client/chat/sotto-suite.ts'
import { openStore } from '#client/store/open-store.ts'
import type { Store } from '#client/store/store.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { measuredIn } from './processes.ts'
import type { Report, Row } from './report.ts'
import { median, round } from './report.ts'

const BODY = 256
const MESSAGES = 10_000
/** Each takes two flushes of the disk. */
const STORED_MESSAGES = 500
const ROUNDS = 9
const TURNS = [1, 5, 50] as const

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

/** Called by each side with its next state, before anything else is done with the message. */
type Keep = (side: 0 | 1, ratchet: ActiveRatchet) => void

/** Two people taking turns of `turn` messages each. */
function talk(turn: number, messages: number, heals: boolean, keep: Keep = () => {}): Talk {
  let [from, to] = pair(heals) as [RatchetState, RatchetState]
  let sender: 0 | 1 = 0
  const body = randomBytes(BODY)
  const now = Date.now()
  let octets = 0
  const began = performance.now()
  for (let sent = 0; sent < messages; ) {
    for (let i = 0; i < turn; i++, sent++) {
      const sealed = sealStep(sottoSuite, from as ActiveRatchet, body)
      from = sealed.state
      keep(sender, sealed.state)
      octets += sealed.message.length
      const opened = openStep(sottoSuite, to, sealed.message, { random: randomBytes, now })
      if (opened.kind !== 'opened') throw new Error(`a message was ${opened.kind}`)
      to = opened.state
      keep(sender === 0 ? 1 : 0, opened.state)
    }
    ;[from, to] = [to, from]
    sender = sender === 0 ? 1 : 0
  }
  const seconds = (performance.now() - began) / 1000
  return { speed: messages / seconds, carried: octets / messages - BODY - RATCHET_OVERHEAD }
}

/** As `talk`, with both sessions on disk. */
function storedTalk(turn: number): Talk {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-ratchet-'))
  const open = (name: string): Store =>
    openStore({ folder: join(folder, name), tables: CHAT_TABLES, random: randomBytes })
  const stores = [open('a'), open('b')] as const
  const [id, contact] = [randomBytes(32), randomBytes(32)]
  const keep: Keep = (side, ratchet) => {
    const store = stores[side]
    const session = { id, stamp: 1, contact, start: new Uint8Array(0), ratchet }
    store.transaction(() => new Records(store).putSession(session))
  }
  try {
    return talk(turn, STORED_MESSAGES, true, keep)
  } finally {
    for (const store of stores) store.close()
    rmSync(folder, { recursive: true })
  }
}

type Results = Readonly<Record<string, number>>

const measures = [
  ['per_second', 'sealed and opened', 'messages/s'],
  ['plain_per_second', 'without ML-KEM', 'messages/s'],
  ['healing_ratio', 'of that', ''],
  ['healing_octets', 'for ML-KEM', 'octets a message'],
  ['stored_per_second', 'with both sessions on disk', 'messages/s'],
] as const

export async function ratchet(): Promise<Report> {
  const result = (await measuredIn(import.meta.filename)) as Results
  const rows = TURNS.flatMap((turn) =>
    measures.map(([name, what, unit]): Row => {
      const storage = name === 'stored_per_second' ? 'two flushes a message' : 'no storage'
      const setting = `${turn} a turn, bodies of ${BODY} octets, ${storage}, one thread`
      return { what, value: result[`${name}_turn_${turn}`]!, unit, setting }
    }),
  )
  return { rows, result }
}

function measure(): Results {
  const result: Record<string, number> = {}
  for (const turn of TURNS) {
    for (const heals of [true, false]) talk(turn, MESSAGES / 5, heals)
    const rounds = Array.from({ length: ROUNDS }, () => {
      const [healed, plain] = [talk(turn, MESSAGES, true), talk(turn, MESSAGES, false)]
      return { healed, plain, ratio: healed.speed / plain.speed }
    })
    const middle = (of: (round: (typeof rounds)[number]) => number): number => median(rounds.map(of))
    result[`per_second_turn_${turn}`] = round(
      middle(({ healed }) => healed.speed),
      0,
    )
    result[`plain_per_second_turn_${turn}`] = round(
      middle(({ plain }) => plain.speed),
      0,
    )
    result[`healing_ratio_turn_${turn}`] = round(
      middle(({ ratio }) => ratio),
      3,
    )
    result[`healing_octets_turn_${turn}`] = round(
      middle(({ healed }) => healed.carried),
      1,
    )
    result[`stored_per_second_turn_${turn}`] = round(storedTalk(turn).speed, 0)
  }
  return result
}

if (import.meta.main) console.log(JSON.stringify(measure()))
