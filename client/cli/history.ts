/** `sotto history`: a conversation as it is kept here. */
import { SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { contactNamed, nameOf } from './contact-names.ts'
import { outputFor } from './report.ts'
import { marks, textOf, timeOf } from './text.ts'
import { type Options, withMember } from './with-member.ts'

export function registerHistory(add: AddCommand, ground: Ground): void {
  add('history', 'Print a conversation, oldest first.')
    .argument('<name>')
    .option('--limit <count>', 'messages', '50')
    .action((name, options) => history(ground, name, options))
}

async function history(ground: Ground, name: string, options: Options & { limit: string }): Promise<void> {
  const output = outputFor(options, ground.streams)
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1) throw new SottoError('E_USAGE', '--limit takes a whole number from 1 on')
  await withMember(ground, { ...options, online: false }, async (member) => {
    const contact = contactNamed(member.chat.contacts(), name)
    for (const message of member.chat.history(contact.id, { limit })) {
      const who = message.from === 'me' ? 'you' : nameOf(contact)
      const state = message.from === 'me' ? ` ${marks[message.status]}` : ''
      const when = `${new Date(message.time).toISOString().slice(0, 10)} ${timeOf(message.time)}`
      output.result(message, `${when} ${who}  ${textOf(message)}${state}`)
    }
  })
}
