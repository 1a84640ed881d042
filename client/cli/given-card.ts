/** A card that somebody is to be added by: typed, from a pipe, from a file, from a picture of its code; locked or not. */
import { readNamed } from '#client/backup/files.ts'
import type { Card } from '#client/chat/card.ts'
import { parseCard } from '#client/chat/card-text.ts'
import { isLockedCard, openLockedCard } from '#client/chat/locked-card.ts'
import { askSecret, readText } from '#firewall/prompt.ts'
import { fromUtf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Ground } from './commands.ts'

/** A card is no secret: it may stand on the command line. The password of a locked one does not; in a pipe it follows the card. */
export async function givenCard(ground: Ground, given: string | undefined): Promise<Card> {
  const { stdin, stderr } = ground.streams
  const text = given ?? (await readText('Card: ', stdin, stderr))
  if (!isLockedCard(text)) return parseCard(text)
  const [card = '', password] = given === undefined && !stdin.isTTY ? text.trim().split(/\r?\n/) : [text]
  return openLockedCard(card, password ?? (await askSecret('Password of the card: ', stdin, stderr)))
}

/** The text of a card in a file, or in a picture. @throws SottoError E_FILE, E_CARD_FORMAT */
export async function cardInFile(path: string): Promise<string> {
  const content = readNamed(path)
  const { isPng, readCodeImage } = await import('#client/backup/codes.ts')
  try {
    return (isPng(content) ? readCodeImage(content) : fromUtf8(content)) ?? ''
  } catch (cause) {
    throw new SottoError('E_CARD_FORMAT', 'No card can be read in this picture.', { cause })
  }
}
