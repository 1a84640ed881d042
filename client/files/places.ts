/** At which of a contact's gateways a file is laid. */
import { fastEqual } from '#protocol/bytes.ts'
import type { FilesParts } from './files.ts'
import type { Place } from './ports.ts'
import type { Transfer } from './transfer.ts'

const order = ['ready', 'away', 'none'] as const

/**
 * One that is reached now, else one of those that could be; not `but`, unless there is no other. undefined where there is
 * nothing but `but`.
 * @throws SottoError as `FileBook.placesFor`
 */
export function choosePlace(
  { chat, blobs }: Pick<FilesParts, 'chat' | 'blobs'>,
  { contact }: Transfer,
  but: Place | undefined,
): Place | undefined {
  const rank = ({ gateway }: Place): number => order.indexOf(blobs.reach(gateway))
  const others = chat.files.placesFor(contact).filter(({ sid }) => but === undefined || !fastEqual(sid, but.sid))
  const [best] = others.toSorted((a, b) => rank(a) - rank(b))
  if (best === undefined || (but !== undefined && rank(best) > rank(but))) return undefined
  const { gateway, sid, sauth } = best
  return { gateway, sid, sauth }
}
