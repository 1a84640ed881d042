/** `sotto send`: one text, or one file. */
import { readText } from '#firewall/prompt.ts'
import { SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { contactNamed, nameOf } from './contact-names.ts'
import { describeWaiting, leftHere } from './leaving.ts'
import { outputFor } from './report.ts'
import { marks } from './text.ts'
import { describeMetadata, describeTransfer, moved, sendFile } from './transfers.ts'
import { type Options, withMember } from './with-member.ts'

interface SendOptions extends Options {
  readonly direct?: boolean
  readonly file?: string
  readonly keepMetadata?: boolean
}

export function registerSend(add: AddCommand, ground: Ground): void {
  add('send', 'Send a message; the text from the arguments or standard input.')
    .argument('<name>')
    .argument('[text...]')
    .option('--direct', 'no gateway keeps it: it waits here until they are there; a file goes through its memory alone')
    .option('--file <file>', 'send this file instead of a text')
    .option('--keep-metadata', 'send a picture with all that it tells: place, time, camera')
    .action((name, text, options) => send(ground, name, text, options))
}

async function send(ground: Ground, name: string, words: readonly string[], options: SendOptions): Promise<void> {
  if (options.file !== undefined) return await sendNamed(ground, name, options.file, words, options)
  const output = outputFor(options, ground.streams)
  const text =
    words.length > 0 ? words.join(' ') : await readText('Message: ', ground.streams.stdin, ground.streams.stderr)
  await withMember(ground, { ...options, online: true }, async (member) => {
    const contact = contactNamed(member.chat.contacts(), name)
    const message = member.chat.send(contact.id, text, { noStore: options.direct === true })
    const status = await leftHere(member, message)
    const why = status === 'pending' ? member.hindrance() : undefined
    const waits = why && { code: why.code, what: why.message, kept: why.kept, next: why.next }
    output.result({ ...message, status, ...(waits && { waits }) }, `${marks[status]} ${nameOf(contact)}`)
    if (status === 'pending') output.note(describeWaiting(why))
  })
}

async function sendNamed(
  ground: Ground,
  name: string,
  path: string,
  words: readonly string[],
  { direct, keepMetadata, ...options }: SendOptions,
): Promise<void> {
  const output = outputFor(options, ground.streams)
  if (words.length > 0) throw new SottoError('E_USAGE', 'a text beside a file goes in a message of its own')
  await withMember(ground, { ...options, online: true }, async (member) => {
    const contact = contactNamed(member.chat.contacts(), name)
    const how = { noStore: direct === true, keepMetadata: keepMetadata === true }
    const { view, metadata } = await sendFile(member, contact.id, path, how)
    const warning = describeMetadata(metadata)
    if (warning !== undefined) output.note(warning)
    const sent = await moved(member, view.id, (now) => output.note(describeTransfer(now)))
    const told = member.chat.history(contact.id, { limit: 50 }).find(({ id }) => id === sent.message)
    const status = told === undefined ? 'pending' : await leftHere(member, told)
    output.result({ ...sent, status, metadata }, `${marks[status]} ${nameOf(contact)}`)
    if (told === undefined) output.note('It is kept here, sealed, and goes on with: sotto files finish')
    else if (status === 'pending') output.note(describeWaiting(member.hindrance()))
  })
}
