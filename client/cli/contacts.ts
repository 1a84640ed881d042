/** `sotto contacts`: who there is, and what can be done with one of them. */
import type { ContactView } from '#client/chat/events.ts'
import { SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { contactNamed, nameOf, newKeysOf } from './contact-names.ts'
import { cardInFile, givenCard } from './given-card.ts'
import { describeProof } from './proof-view.ts'
import { type Output, outputFor } from './report.ts'
import { sanitize } from './sanitize.ts'
import { type Options, withMember } from './with-member.ts'

export function registerContacts(add: AddCommand, ground: Ground): void {
  add('contacts', 'Show contacts, or do something with one: add, accept, block, rename, address, remove, verify.')
    .argument('[verb]', 'list, add, accept, block, rename, address, remove, verify', 'list')
    .argument('[name]', 'whom; for add a card (else it is read from standard input)')
    .argument('[new-name]', 'for rename; for address, host:port of their gateway (none: as their card says)')
    .option('--file <file>', 'for add: a file with the card, or a PNG picture of its QR code')
    .option('--yes', 'for verify: the digits are equal')
    .action((verb, name, newName, options) => contacts(ground, verb, name, newName, options))
}

async function contacts(
  ground: Ground,
  verb: string,
  name: string | undefined,
  newName: string | undefined,
  options: Options & { yes?: boolean; file?: string },
): Promise<void> {
  const output = outputFor(options, ground.streams)
  // What others hear of needs the network; looking does not.
  const online = ['add', 'accept'].includes(verb)
  // A locked card takes seconds to open: before anything else is begun.
  const given = options.file === undefined ? name : await cardInFile(options.file)
  const card = verb === 'add' ? await givenCard(ground, given) : undefined
  await withMember(ground, { ...options, online }, async (member) => {
    const { chat } = member
    const named = (): ContactView => contactNamed(chat.contacts(), need(name, 'a name'))
    const show = (contact: ContactView): void => output.result(contact, `${nameOf(contact)} (${contact.status})`)
    switch (verb) {
      case 'list':
        return listContacts(chat.contacts(), output)
      case 'add':
        return show(chat.addContact(card!))
      case 'address':
        return show(chat.setAddress(named().id, newName ?? ''))
      case 'accept':
        return show(chat.accept(named().id))
      case 'block':
        return show(chat.block(named().id))
      case 'rename':
        return show(chat.rename(named().id, need(newName, 'the new name')))
      case 'remove': {
        const contact = named()
        chat.remove(contact.id)
        return output.result({ removed: contact.id }, `${nameOf(contact)} is removed.`)
      }
      case 'verify': {
        const contact = named()
        if (options.yes) return show(chat.verify(contact.id, true))
        const digits = chat.fingerprint(contact.id)
        output.note(
          `Compare with ${nameOf(contact)}, in person or by voice; then: sotto contacts verify ${nameOf(contact)} --yes`,
        )
        return output.result({ contact: contact.id, digits }, digits.replace(/(\d{5})(?=\d)/g, '$1 '))
      }
      default:
        throw new SottoError('E_USAGE', `contacts cannot ${sanitize(verb)}`, {
          next: 'It can list, add, accept, block, rename, address, remove, verify.',
        })
    }
  })
}

function need(value: string | undefined, what: string): string {
  if (value === undefined) throw new SottoError('E_USAGE', `${what} is missing`)
  return value
}

function listContacts(contacts: readonly ContactView[], output: Output): void {
  if (contacts.length === 0) output.note('You have no contacts yet. Next: sotto contacts add')
  for (const contact of contacts) {
    const unread = contact.unread > 0 ? `, ${contact.unread} unread` : ''
    const trust = contact.changed ? ', NEW KEYS: compare the digits' : contact.verified ? ', verified' : ''
    const address = contact.address === undefined ? '' : `, at ${sanitize(contact.address)} by hand`
    const avatar = contact.avatar === undefined ? '' : `, picture ${contact.avatar.slice(0, 8)}`
    output.result(contact, `${nameOf(contact)} (${contact.status}${trust}${unread}${address}${avatar})`)
    if (contact.changed) output.note(newKeysOf(contact))
    const proof = describeProof(contact)
    if (proof !== undefined) output.note(proof)
  }
}
