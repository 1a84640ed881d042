/**
 * A whole conversation without people: both ways, in every template, with a gateway that is killed in the middle. The
 * members are the product's own command line (`sotto chat --json`), each with its broker and its core.
 */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { ChatEvent } from '#client/chat/events.ts'
import { createMatcher } from '#engine/match.ts'
import { SottoError } from '#protocol/errors.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { quantile, round } from '../bench/report.ts'
import { memberFlags } from '../node-flags.ts'
import { ended, memberMain } from './commands.ts'
import { type Exchanger, exchangeFile, FILE_LOOK, filesFolder } from './file.ts'
import type { Seen } from './front.ts'
import { members, nameOfMember } from './members.ts'
import { memberFolder, setUp } from './set-up.ts'

/** Messages each way in each template. */
const MESSAGES = 40
const TIME_LIMIT_MS = 180_000

export interface CheckResult {
  readonly messages: number
  readonly lost: number
  readonly duplicates: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly templates: readonly string[]
  readonly gateway_kills: number
  /** From sending a file of 500 kB until the other has saved it. */
  readonly file_ms: number
  readonly seconds: number
}

interface CheckInput {
  readonly state: string
  readonly port: number
  readonly tell: (line: string) => void
}

export async function checkConversation({ state, port, tell }: CheckInput): Promise<CheckResult> {
  // Ended by `exit`, what was started here ends as well (set-up.ts).
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  const began = Date.now()
  const seen = new Set<string>()
  const running = await setUp({ state, port, tell, observe: collectTemplates(seen) })
  const score = new Score()
  let fileMs = 0
  const chats = members.map((member) => new TalkingMember(state, member, (text) => score.arrive(text, member)))
  try {
    const templates = compileBuiltins().map(({ id }) => id)
    for (const [index, template] of templates.entries()) {
      tell(`Talking, looking like ${template} ...`)
      for (const chat of chats) chat.say({ look: template })
      const kill =
        index === 1
          ? async () => {
              tell('Killing the gateway (kill -9) and starting it again ...')
              await running.killGateway()
            }
          : undefined
      await talk(chats, score, kill)
    }
    await score.complete(TIME_LIMIT_MS - (Date.now() - began))
    tell('Sending a file ...')
    for (const chat of chats) chat.say({ look: FILE_LOOK })
    fileMs = await exchangeFile(chats[0]!, chats[1]!, TIME_LIMIT_MS)
  } finally {
    for (const chat of chats) await chat.end()
    await running.stop()
  }
  return {
    ...score.result(),
    templates: [...seen].sort(),
    gateway_kills: 1,
    file_ms: round(fileMs, 0),
    seconds: round((Date.now() - began) / 1000, 1),
  }
}

/** Which templates an observer could tell the exchanges by, if he had them. */
function collectTemplates(seen: Set<string>): (exchange: Seen) => void {
  const matcher = createMatcher(compileBuiltins())
  return ({ method, target, status }) => {
    if (status === 200) for (const shape of matcher.match(method, target)) seen.add(shape.template)
  }
}

/** Messages both ways at once, each side one after another; in the middle whatever is to happen. */
async function talk(
  chats: readonly TalkingMember[],
  score: Score,
  middle: (() => Promise<void>) | undefined,
): Promise<void> {
  for (let i = 0; i < MESSAGES; i++) {
    const disturbance = i === MESSAGES / 2 && middle !== undefined ? middle() : undefined
    for (const chat of chats) chat.say({ to: nameOfMember(chat.other), text: score.next(chat.other) })
    // A few in flight at a time, as when people type fast; after the disturbance nothing is waited for but the end.
    if (disturbance === undefined) await score.atMostUnderWay(8)
    else await disturbance
  }
}

/** What was said, to whom, when, and when it arrived. */
class Score {
  private readonly sent = new Map<string, { readonly to: string; readonly at: number }>()
  private readonly arrived = new Map<string, number>()
  private readonly ms: number[] = []
  private readonly waiting = new Set<() => void>()
  private repeats = 0

  next(to: string): string {
    const text = `message ${this.sent.size + 1} for ${to}`
    this.sent.set(text, { to, at: performance.now() })
    return text
  }

  arrive(text: string, at: string): void {
    const sent = this.sent.get(text)
    const times = (this.arrived.get(text) ?? 0) + 1
    this.arrived.set(text, times)
    if (sent === undefined || sent.to !== at || times > 1) this.repeats++
    else this.ms.push(performance.now() - sent.at)
    for (const wake of [...this.waiting]) wake()
  }

  private get underWay(): number {
    return this.sent.size - this.arrived.size
  }

  async atMostUnderWay(count: number, timeoutMs = TIME_LIMIT_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (this.underWay > count && performance.now() < deadline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()))
        const wake = (): void => {
          clearTimeout(timer)
          this.waiting.delete(wake)
          resolve()
        }
        this.waiting.add(wake)
      })
    }
  }

  async complete(timeoutMs: number): Promise<void> {
    await this.atMostUnderWay(0, Math.max(0, timeoutMs))
  }

  result(): { messages: number; lost: number; duplicates: number; p50_ms: number; p99_ms: number } {
    return {
      messages: this.sent.size,
      lost: this.underWay,
      duplicates: this.repeats,
      p50_ms: round(quantile(this.ms, 0.5), 1),
      p99_ms: round(quantile(this.ms, 0.99), 1),
    }
  }
}

/** A member of the demo, who is told what to say. */
export class TalkingMember implements Exchanger {
  readonly other: string
  readonly name: string
  readonly folder: string
  private readonly listeners = new Set<(line: Record<string, unknown>) => void>()
  private readonly child: ChildProcess

  /** `arrived` hears what comes. */
  constructor(state: string, member: string, arrived: (text: string) => void) {
    this.other = members.find((each) => each !== member)!
    this.name = nameOfMember(member)
    this.folder = filesFolder(state, member)
    const own = ['--state', memberFolder(state, member), '--files', this.folder]
    const args = [...memberFlags, memberMain, 'chat', '--json', ...own]
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      for (const listener of [...this.listeners]) listener(JSON.parse(line) as Record<string, unknown>)
      const event = JSON.parse(line) as ChatEvent | { type: 'error'; error: { code: string; what: string } }
      if (event.type === 'error')
        throw new SottoError('E_INTERNAL', `${member}: ${event.error.code} ${event.error.what}`)
      if (event.type === 'message' && event.message.from === 'them' && event.message.file === undefined)
        arrived(event.message.text)
    })
  }

  say(command: object): void {
    this.child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  hear(wanted: (line: Record<string, unknown>) => boolean, ms: number): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new SottoError('E_INTERNAL', 'a file did not come in time')), ms)
      const listen = (line: Record<string, unknown>): void => {
        if (!wanted(line)) return
        clearTimeout(timer)
        this.listeners.delete(listen)
        resolve(line)
      }
      this.listeners.add(listen)
    })
  }

  async end(): Promise<void> {
    this.child.stdin!.end()
    await ended(this.child)
  }
}
