/** Contacts as people call them on the command line. */
import type { ContactView } from '#client/chat/events.ts'
import { SottoError } from '#protocol/errors.ts'
import { sanitize } from './sanitize.ts'

/** Never empty, safe for a terminal. */
export function nameOf(contact: ContactView): string {
  return contact.name === '' ? `someone ${contact.id.slice(0, 8)}` : sanitize(contact.name)
}

/**
 * By name in any case, by the beginning of a name, or by the beginning of the id.
 * @throws SottoError E_CONTACT_UNKNOWN where nobody, or more than one, fits
 */
export function contactNamed(contacts: readonly ContactView[], text: string): ContactView {
  const wanted = text.trim().toLowerCase()
  const exact = contacts.filter((contact) => nameOf(contact).toLowerCase() === wanted || contact.id === wanted)
  if (exact.length === 1) return exact[0]!
  const starts = (value: string): boolean => wanted !== '' && value.toLowerCase().startsWith(wanted)
  const close = contacts.filter((contact) => starts(nameOf(contact)) || starts(contact.id))
  if (close.length === 1 && exact.length === 0) return close[0]!
  const several = [...exact, ...close]
  const who =
    several.length === 0 ? contacts.map(nameOf) : several.map((each) => `${nameOf(each)} (${each.id.slice(0, 8)})`)
  const what =
    several.length === 0 ? `nobody is called «${sanitize(text)}»` : `«${sanitize(text)}» fits more than one person`
  throw new SottoError('E_CONTACT_UNKNOWN', what, {
    next: who.length === 0 ? 'Add somebody first: sotto contacts add' : `There are: ${who.join(', ')}.`,
  })
}

/** What a person is told once a contact has other keys than before. */
export function newKeysOf(contact: ContactView): string {
  const name = nameOf(contact)
  return `${name} has new keys, as after a leak or on purpose; they follow from the old ones. Compare the digits again before you say anything that matters: sotto contacts verify ${name}`
}

/** What a person is told once a contact offers a node, or another one, or none any more. */
export function nodeNews(contact: ContactView, offered: boolean): string {
  const name = nameOf(contact)
  if (!offered) return `${name} has no node for you any more; messages go by the mailbox.`
  return `${name} offers a straight way to their own node. Nothing is sent there unless you allow it; what that shows to whom: sotto peer allow ${JSON.stringify(name)}`
}
