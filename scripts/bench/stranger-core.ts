/**
 * The core of a person in `stranger.ts`: the member of the product, and the times of what it does. First line in: {name}; then
 *   {run: 'findable'}       -> {id}           lets itself be found; from then on {heard, at} for each message, accepted at once
 *   {run: 'add', id, text}  -> {steps}        finds somebody by their id and writes to them: when each step was over
 * Times are milliseconds since 1970, with fractions.
 */
import { createInterface } from 'node:readline'
import { realClockwork } from '#client/clockwork.ts'
import { parseTrackerId } from '#client/finding/tracker-id.ts'
import { Member } from '#client/member.ts'
import { Mailboxes } from '#client/services/mailbox.ts'
import { inheritedBroker } from '#firewall/core-side.ts'
import { coreFolder } from '#firewall/options.ts'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async (): Promise<Record<string, string> | undefined> => {
  const { value, done } = await lines.next()
  return done ? undefined : JSON.parse(value)
}
const say = (value: unknown): void => console.log(JSON.stringify(value))
const at = (): number => performance.timeOrigin + performance.now()
const REACH_MS = 60_000

/** When what the mailbox does for the first message was over: there is no other place to see it from. */
const steps: Record<string, number> = {}
const { bundle, put } = Mailboxes.prototype
Mailboxes.prototype.bundle = async function (question) {
  const answer = await bundle.call(this, question)
  steps.prekeys ??= at()
  return answer
}
Mailboxes.prototype.put = async function (...args) {
  if (steps.prekeys !== undefined) steps.handshake ??= at()
  return await put.apply(this, args)
}

const { name } = (await read())!
const broker = inheritedBroker((error) => {
  throw error
})
await broker.endpoints()
const ground = { broker, clockwork: realClockwork, folder: coreFolder(process.argv.slice(2), process.env) }
const member = await Member.open({ ...ground, template: undefined, online: true, newName: name! })
await member.reached(REACH_MS)
// Its own queues and keys are laid out first, as they are once somebody has used the program.
await member.chat.myCard()
await member.settled(0, REACH_MS)
const { chat, finding } = member
chat.onEvent((event) => {
  if (event.type === 'contact' && event.contact.status === 'request') chat.accept(event.contact.id)
  if (event.type === 'message' && event.message.from === 'them') say({ heard: event.message.text, at: at() })
})
say({ ready: true })

async function add(id: string, text: string): Promise<void> {
  steps.began = at()
  const root = parseTrackerId(id)
  const found = await finding.find(root)
  steps.lookup = at()
  const card = await finding.card(root, found)
  steps.card = at()
  chat.send(chat.addContact(card).id, text)
  await new Promise<void>((resolve) => {
    const stop = chat.onEvent((event) => {
      if (event.type !== 'receipt' || event.status !== 'sent') return
      stop()
      resolve()
    })
  })
  steps.request = at()
}

for (let asked = await read(); asked !== undefined; asked = await read()) {
  if (asked.run === 'findable') {
    await finding.wish('online')
    say({ id: finding.id })
  } else {
    await add(asked.id!, asked.text!)
    say({ steps })
  }
}
process.exit()
