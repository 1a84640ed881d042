/** Who may see that we are there. */
import type { Contact, Profile } from '../model.ts'

/** Towards friends of whom nothing else was said. */
export type Showing = 'visible' | 'invisible'

export const showingOf = ({ showing = 'visible' }: Profile): Showing => showing

/** Whether they are answered without the person: friends who may see us, and new people unless we are invisible. */
export function isAnswered(contact: Contact, profile: Profile): boolean {
  return contact.status === 'request' ? showingOf(profile) === 'visible' : maySee(contact, profile)
}

/** What was said of one friend counts for that one. Nobody else ever sees us. */
export function maySee(contact: Contact, profile: Profile): boolean {
  return contact.status === 'accepted' && (contact.sees ?? showingOf(profile) === 'visible')
}
