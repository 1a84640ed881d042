/** What a chain of documents means for a contact that we know. Every function is for the inside of a transaction. */
import { empty, fastEqual } from '#protocol/bytes.ts'
import { contactView } from './contacts.ts'
import { compareChains, DOCUMENT_LENGTH, type PublicIdentity, readKnownChain } from './documents.ts'
import type { Emit } from './events.ts'
import type { After } from './journal.ts'
import type { Contact } from './model.ts'
import { withoutRun } from './proof-state.ts'
import type { Records } from './records.ts'

/**
 * The contact as it is to be once these verified documents are known; undefined where they contradict those that are, or
 * are older. Where the keys were updated, all sessions end: whoever stole the old keys may have stolen them, too. What
 * waits goes out in a new one, and the person is to compare the digits again.
 */
export function adopt(
  records: Records,
  contact: Contact,
  given: PublicIdentity,
  emit: Emit,
  after: After,
): Contact | undefined {
  const known = chainOf(contact, given)
  const relation = compareChains(known, given.chain)
  if (relation === 'other' || relation === 'older') return undefined
  const { root, dh, chain } = given
  if (relation === 'same') return contact.chain === chain ? contact : { ...contact, chain }
  for (const { id } of contact.sessions) records.deleteSession(id)
  const keys = { root, dh, chain, verified: false, changed: true, sessions: [], begin: 'all' } as const
  // Greeted anew, they hear of other queues than those that may have been stolen with the keys.
  const renewed: Contact = { ...withoutRun(contact), ...keys, announced: empty, requeue: true }
  after(() => emit({ type: 'keys', contact: contactView(renewed) }))
  return renewed
}

/** Of a contact from before there were documents: the first document with the keys we know stands for it. */
function chainOf({ chain, root, dh }: Contact, given: PublicIdentity): Uint8Array {
  if (chain.length > 0) return chain
  const first = given.chain.slice(0, DOCUMENT_LENGTH)
  const { root: firstRoot, dh: firstDh } = readKnownChain(first)
  // Any chain contradicts one that is not a chain.
  return fastEqual(firstRoot, root) && fastEqual(firstDh, dh) ? first : new Uint8Array(DOCUMENT_LENGTH)
}
