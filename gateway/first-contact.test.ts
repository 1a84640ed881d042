import test from 'ava'
import { concat } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { initiate } from '#protocol/handshake.ts'
import { bindingOf, deriveCohort, maskKeyOf, tagOf } from '#protocol/recognition.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import { plainTemplate } from '#test/helpers/plain-template.ts'
import type { FirstContactExchange } from './sessions.ts'
import { Sessions, surroundings } from './sessions.ts'

const gatewaySecret = randomBytes(32)
const gatewayKey = x25519PublicKey(gatewaySecret)
const maskKey = maskKeyOf(gatewayKey)
const keys = deriveCohort(randomBytes(32))
const shape = plainTemplate.shape('send')
const START = 1_700_000_000_000

function gateway(): { sessions: Sessions; clock: { now: number } } {
  const clock = { now: START }
  const sessions = new Sessions({
    ...{ ...surroundings(randomBytes), now: () => clock.now, monotonic: () => clock.now },
    ...{ gatewaySecret, preferredAead: 0, tokens: new TokenTable(), services: [] },
    admit: async () => ({ member: 'm', role: 'member' }),
    report: (error) => {
      throw error
    },
  })
  sessions.setCohorts([{ id: 'c', keys }])
  return { sessions, clock }
}

/** `slot`: drawn by the client, where the test has a say in it. */
function contact(slot?: number): FirstContactExchange {
  let drawn = 0
  const { token, parcel } = initiate({
    ...{ gatewayKey, cohort: keys, hello: Uint8Array.of(0), binding: bindingOf(shape), length: 320, now: START },
    membership: {
      kind: 'redeem',
      code: randomBytes(16),
      credentialId: randomBytes(16),
      credentialKey: randomBytes(32),
    },
    // The ephemeral key is drawn first, then the slot.
    random: (length) => (drawn++ === 1 && slot !== undefined ? Uint8Array.of(slot) : randomBytes(length)),
  })
  return { cohort: { id: 'c', keys }, shape, token, parcel }
}

test('a token that was used is nobody’s once its answer is not given again, and another of the same slot is as good as ever', async (t) => {
  const { sessions, clock } = gateway()
  const [first, second] = [contact(5), contact(5)]
  t.deepEqual(tagOf(maskKey, first.token), tagOf(maskKey, second.token))
  t.truthy(sessions.cohortOf(first.token))
  const answer = await sessions.firstContact(first)
  t.truthy(answer)
  clock.now += Limits.firstContactAnswerMs
  t.truthy(sessions.cohortOf(first.token), 'an edge may still deliver it again')
  t.is(await sessions.firstContact(first), answer)
  clock.now++
  t.is(sessions.cohortOf(first.token), undefined, 'refused before anything else of the request is looked at')
  t.is(await sessions.firstContact(first), undefined, 'also where its body came so slowly')
  t.truthy(sessions.cohortOf(second.token))
  t.truthy(await sessions.firstContact(second))
})

test('a token stays expected until what it announces was authentic: nobody can use it up for its owner', async (t) => {
  const { sessions, clock } = gateway()
  const [own, other] = [contact(), contact()]
  const changed = own.parcel.with(40, own.parcel[40]! ^ 1)
  for (const parcel of [changed, other.parcel, concat(own.parcel, own.parcel)]) {
    t.is(await sessions.firstContact({ ...own, parcel }), undefined)
  }
  clock.now += Limits.firstContactAnswerMs + 1
  t.truthy(sessions.cohortOf(own.token))
  t.truthy(await sessions.firstContact(own))
})
