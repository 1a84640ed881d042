/** A key update: what follows for everything that was made with the keys of before. */
import { constantTimeEqual, fastEqual, type Millis, wipe } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { nextOf, numberOf } from './documents.ts'
import type { Engine } from './engine.ts'
import { commitmentOf, type DerivedIdentity, deriveIdentity, deriveSecrets, type Identity } from './identity.ts'
import type { After } from './journal.ts'
import { ChatLimits } from './limits.ts'
import { nextPrekey } from './prekeys.ts'
import { withoutRun } from './proof-state.ts'

export function isMasterOf({ chain, rootSeed }: Identity, master: Uint8Array): boolean {
  const secrets = deriveSecrets(master, numberOf(chain))
  const isSame = constantTimeEqual(secrets.rootSeed, rootSeed)
  wipe(secrets.rootSeed, secrets.dhSecret)
  return isSame
}

/** The identity after one update more. @throws SottoError E_IDENTITY_UPDATE */
export function followingIdentity({ chain }: Identity, master: Uint8Array): DerivedIdentity {
  const n = numberOf(chain) + 1
  if (n >= ChatLimits.documents) throw noUpdate(`There have been ${n - 1} updates, and there can be no more.`)
  if (!fastEqual(nextOf(chain), commitmentOf(master, n))) {
    throw noUpdate('This identity was made before keys could be updated: no contact would believe a new key.')
  }
  return deriveIdentity(master, n)
}

/**
 * Inside a transaction. Whoever has copied the device has every secret of it: the identity's, the prekeys', the sessions',
 * and the rights to read our queues. All of them end here. What waits for contacts goes out in new sessions.
 */
export function takeNewKeys(engine: Engine, identity: DerivedIdentity, now: Millis, after: After): void {
  const { records, queues, random } = engine
  const none = new Uint8Array(0)
  records.putPrekeys([nextPrekey(records.prekeys().at(-1), now, random)])
  for (const { rid } of queues.onCard()) records.deleteOneTimeKeys(rid)
  queues.retireAll(now, after)
  for (const contact of records.contacts()) {
    for (const { id } of contact.sessions) records.deleteSession(id)
    records.putContact({ ...withoutRun(contact), sessions: [], begin: 'all', announced: none })
  }
  records.putProfile({ ...records.profile()!, ...identity, card: none, cardBasis: none })
}

const noUpdate = (what: string): SottoError => new SottoError('E_IDENTITY_UPDATE', what)
