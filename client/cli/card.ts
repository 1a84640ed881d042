/** `sotto card`: what one gives away, so that others can write. */
import { writeNew } from '#client/backup/files.ts'
import { cardLink, cardQrText } from '#client/chat/card-text.ts'
import { lockCard } from '#client/chat/locked-card.ts'
import type { AddCommand, Ground } from './commands.ts'
import { REACH_MS } from './leaving.ts'
import { askNewSecret } from './new-secret.ts'
import { outputFor } from './report.ts'
import { type Options, withMember } from './with-member.ts'

/** Loaded where a picture is wanted. */
const codes = (): Promise<typeof import('#client/backup/codes.ts')> => import('#client/backup/codes.ts')

export function registerCard(add: AddCommand, ground: Ground): void {
  add('card', 'Print your card: whoever has it can write to you.')
    .option('--qr', 'as a QR code as well')
    .option('--file <file>', 'into a new file: the line, or the QR code where it is called .png')
    .option('--password', 'locked: whoever reads it needs a password, which is asked for')
    .action((options) => card(ground, options))
}

async function card(
  ground: Ground,
  options: Options & { qr?: boolean; password?: boolean; file?: string },
): Promise<void> {
  const output = outputFor(options, ground.streams)
  const password = options.password ? await askNewSecret('Password of the card: ', ground.streams) : undefined
  const card = await withMember(ground, { ...options, online: true }, async (member) => {
    await member.reached(REACH_MS)
    return await member.chat.myCard()
  })
  // Locking takes seconds in which nothing else is done here: the network is let go of before.
  const { link, qr } =
    password === undefined
      ? { link: cardLink(card), qr: cardQrText(card) }
      : lockCard(card, password, ground.clockwork.random)
  if (options.file !== undefined) {
    const content = /\.png$/i.test(options.file) ? (await codes()).codeImage(qr) : `${link}\n`
    writeNew(options.file, content, ground.folder)
    output.result({ file: options.file }, `The card is in ${options.file}.`)
  }
  const code = options.qr ? `\n${(await codes()).cardCode(qr)}` : ''
  if (options.file === undefined || options.qr) output.result({ card: link }, link + code)
  if (password !== undefined) output.note('Tell the password by another way than the card.')
}
