/** Proving a secret to each other, as people see it: what is typed in the terminal chat, and the words for how it stands. */
import type { Chat } from '#client/chat/chat.ts'
import type { ContactView } from '#client/chat/events.ts'
import { nameOf } from './contact-names.ts'
import { sanitize } from './sanitize.ts'

/** Commands whose argument is nobody else's business: the terminal forgets them. */
export const SECRET_COMMANDS: readonly string[] = ['/same', '/password', '/answer']

export const PROOF_HELP: readonly (readonly [string, string])[] = [
  ['/same SECRET', 'find out whether they type the same; both learn that, and nothing else'],
  ['/decline', 'do not compare a secret that they asked for'],
  ['/answer TEXT', 'answer the question that they ask new people'],
  ['/password TEXT', 'say that you know their password for new people'],
]

/** What there is to say now; undefined where nothing is under way and nothing has ended. */
export function describeProof(contact: ContactView): string | undefined {
  const { proof } = contact
  const name = nameOf(contact)
  switch (proof?.state) {
    case undefined:
      return undefined
    case 'waiting':
      return proof.kind === 'check' ? `Waiting for ${name} to type the secret as well.` : `Waiting for ${name}.`
    case 'wanted':
      return proof.kind === 'check'
        ? `${name} asks whether you know the same secret. /same SECRET, or /decline`
        : `${name} asks new people: ${sanitize(proof.question ?? '')}  /answer TEXT`
    case 'equal':
      return proof.kind === 'check'
        ? `The secrets are equal: ${name} is who knows it, and nobody is in between.`
        : `It was right. ${name} has accepted you, or you them.`
    case 'different':
      return proof.kind === 'check'
        ? `The secrets DIFFER. A typing error, somebody who guesses, or somebody in between: speak to ${name} over another way.`
        : again(`It was not right.`, contact)
    case 'none':
      return `${name} has set none.`
    case 'limit':
      return `${name} takes no more attempts today.`
    case 'declined':
      return `${name} does not wish to do that now, or you did not: begin again when both have time.`
  }
}

function again(what: string, { proof }: ContactView): string {
  return proof?.question === undefined ? what : `${what} They ask: ${sanitize(proof.question)}`
}

/** The commands of the terminal chat, by name. `current`: who is talked to; undefined has said what is missing. */
export function proofCommands(
  chat: Chat,
  current: () => ContactView | undefined,
  print: (text: string) => void,
): Record<string, (argument: string) => void> {
  const { proofs } = chat
  const told = (work: (id: string) => ContactView) => (): void => {
    const contact = current()
    if (contact === undefined) return print('Say first with whom: /to NAME.')
    const text = describeProof(work(contact.id))
    if (text !== undefined) print(text)
  }
  const typed = (work: (id: string, secret: string) => ContactView) => (argument: string) =>
    argument === '' ? told((id) => chat.contact(id))() : told((id) => work(id, argument))()
  return {
    same: typed((id, secret) => proofs.check(id, secret)),
    password: typed((id, secret) => proofs.password(id, secret)),
    answer: typed((id, secret) => proofs.answer(id, secret)),
    decline: () => told((id) => proofs.decline(id))(),
  }
}
