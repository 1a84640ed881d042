/**
 * Members of ours, with firewall and chat as the product has them, one or many in one process. Lines of JSON, answered in any order:
 *     {id, run: 'join', name, link}        -> {id, card}   joins, and stays open
 *     {id, run: 'add', name, card}         -> {id}         takes somebody in
 *     {id, run: 'open', name, template}    -> {id}         resolves once the gateway is reached
 *     {run: 'say', name, letters}                          to the one contact
 *     {id, run: 'met', name}               -> {id}         once something was heard, anew each time
 *     {id, run: 'rest', name}              -> {id}         once nothing is under way, and nothing will be soon
 *     {id, run: 'stocked', name}           -> {id}         once others find all keys that they need to begin with this one
 *     {id, run: 'close', name}             -> {id}
 *     member.ts FOLDER KEYS     (a file for the secrets of connections)
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cardLink, parseCard } from '#client/chat/card-text.ts'
import { realClockwork } from '#client/clockwork.ts'
import { Member } from '#client/member.ts'
import type { LocalBroker } from '#firewall/local-broker.ts'
import { systemBroker } from '#firewall/system-broker.ts'
import { keepKeys } from './keep-keys.ts'

interface Command {
  readonly id: number
  readonly run: 'join' | 'add' | 'open' | 'say' | 'met' | 'rest' | 'stocked' | 'close'
  readonly name: string
  readonly link: string
  readonly card: string
  readonly template: string
  readonly letters: number
}

const REACH_MS = 60_000
/** What is due within so long is waited for, and for how long at most, milliseconds. */
const SOON_MS = 6_000
const REST_MS = 10_000
/** Less than so many octets up in so many milliseconds: no keys are being put on a shelf, which goes on beside everything else. */
const SHELF_OCTETS = 8_192
const SHELF_MS = 3_000
const [folder = '', keys = ''] = process.argv.slice(2)
keepKeys(keys)

class Person {
  private readonly place: string
  private member: Member | undefined
  private broker: LocalBroker | undefined
  private heard = Promise.withResolvers<void>()

  constructor(name: string) {
    this.place = join(folder, name)
  }

  async open(template: string | undefined, link?: string): Promise<void> {
    mkdirSync(join(this.place, 'core'), { recursive: true, mode: 0o700 })
    this.broker = await systemBroker(join(this.place, 'firewall'))
    if (link !== undefined) await this.broker.admitInvite(link)
    const ground = { broker: this.broker, clockwork: realClockwork, template, online: true }
    const member = await Member.open({
      ...{ ...ground, folder: join(this.place, 'core') },
      ...(link === undefined ? {} : { newName: 'Guest' }),
    })
    this.member = member
    member.chat.onEvent((event) => {
      if (event.type === 'contact' && event.contact.status === 'request') member.chat.accept(event.contact.id)
      if (event.type === 'message' && event.message.from === 'them') this.heard.resolve()
    })
    await member.reached(REACH_MS)
  }

  async card(): Promise<string> {
    return cardLink(await this.member!.chat.myCard())
  }

  add(card: string): void {
    this.member!.chat.addContact(parseCard(card))
  }

  say(letters: number): void {
    const [contact] = this.member?.chat.contacts() ?? []
    if (contact !== undefined) this.member!.chat.send(contact.id, 'x'.repeat(letters))
  }

  async met(): Promise<void> {
    await this.heard.promise
    this.heard = Promise.withResolvers<void>()
  }

  async rest(): Promise<void> {
    await this.member?.settled(SOON_MS, REST_MS)
  }

  async stocked(): Promise<void> {
    const up = (): number => this.member?.today().up ?? 0
    for (let before = Number.NEGATIVE_INFINITY; up() - before > SHELF_OCTETS; ) {
      before = up()
      await new Promise((resolve) => setTimeout(resolve, SHELF_MS))
    }
  }

  async close(): Promise<void> {
    await this.member?.close()
    await this.broker?.close()
    this.member = undefined
    this.broker = undefined
  }
}

const people = new Map<string, Person>()

async function obey({ run, name, link, card, template, letters }: Command): Promise<object> {
  const person = people.get(name) ?? new Person(name)
  people.set(name, person)
  if (run === 'join') {
    await person.open(undefined, link)
    return { card: await person.card() }
  }
  if (run === 'open') await person.open(template)
  else if (run === 'add') person.add(card)
  else if (run === 'say') person.say(letters)
  else if (run === 'met') await person.met()
  else if (run === 'rest') await person.rest()
  else if (run === 'stocked') await person.stocked()
  else await person.close()
  return {}
}

const tell = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
tell({ ready: true })
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command
  const { id } = command
  obey(command).then(
    (outcome) => tell({ id, ...outcome }),
    (error: Error) => tell({ id, error: error.message }),
  )
}
await Promise.all([...people.values()].map((person) => person.close()))
process.exit()
