/** `sotto recv`: what has arrived and was not seen. */
import type { MessageView } from '#client/chat/events.ts'
import { ChatLimits } from '#client/chat/limits.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Member } from '#client/member.ts'
import type { AddCommand, Ground } from './commands.ts'
import { nameOf } from './contact-names.ts'
import { REACH_MS } from './leaving.ts'
import { outputFor } from './report.ts'
import { stopped } from './stopped.ts'
import { textOf, timeOf } from './text.ts'
import { type Options, withMember } from './with-member.ts'

/** Milliseconds for receipts to leave; what has not left by then goes out the next time. */
const SETTLE_MS = 10_000

export function registerRecv(add: AddCommand, ground: Ground): void {
  add('recv', 'Print what has arrived and not been seen.')
    .option('--follow', 'go on until stopped')
    .action((options) => recv(ground, options))
}

async function recv(ground: Ground, options: Options & { follow?: boolean }): Promise<void> {
  const output = outputFor(options, ground.streams)
  await withMember(ground, { ...options, online: true }, async (member) => {
    const show = (message: MessageView): void => {
      const contact = member.chat.contacts().find(({ id }) => id === message.contact)
      const who = contact === undefined ? message.contact.slice(0, 8) : nameOf(contact)
      const text = `${timeOf(message.time)} ${who}  ${textOf(message)}`
      output.result({ ...message, name: who }, text, () => member.chat.markRead(message.contact, message.id))
    }
    for (const contact of member.chat.contacts()) {
      if (contact.unread === 0) continue
      for (const message of member.chat.history(contact.id, { limit: contact.unread + 50 })) {
        if (message.from === 'them' && message.status !== 'read') show(message)
      }
    }
    member.chat.onEvent((event) => {
      if (event.type === 'message' && event.message.from === 'them') show(event.message)
    })
    if (options.follow) await stopped()
    else {
      await member.reached(REACH_MS)
      await quiet(member, ground.clockwork)
      await member.settled(ChatLimits.receiptMs + ChatLimits.receiptJitterMs, SETTLE_MS)
    }
  })
}

/** Milliseconds without a message after which what waited has arrived. */
const QUIET_MS = 1_500

function quiet(member: Member, clockwork: Clockwork): Promise<void> {
  return new Promise((resolve) => {
    let cancel = clockwork.after(QUIET_MS, resolve)
    member.chat.onEvent((event) => {
      if (event.type !== 'message') return
      cancel()
      cancel = clockwork.after(QUIET_MS, resolve)
    })
  })
}
