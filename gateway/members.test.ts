import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { membershipProof } from '#protocol/handshake.ts'
import { decodeMessage } from '#protocol/services/codec.ts'
import { Members } from './members.ts'
import {
  type CohortSecret,
  type InviteRequest,
  MEMBER_TABLES,
  MemberLimits,
  type NewInvite,
} from './members-records.ts'
import { watchMembers } from './members-watch.ts'
import { openStore } from './store/store.ts'

const now = 1_700_000_000_000
const DAY_MS = 86_400_000
const once_: InviteRequest = { name: 'for Anna', uses: 1, days: 7, role: 'member' }

interface Place {
  readonly folder: string
  readonly members: Members
  /** Whether the store keeps a key for this credential. */
  readonly keeps: (credential: Credential) => boolean
  readonly reopen: () => Promise<Members>
}

async function place(t: ExecutionContext): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), 'sotto-members-'))
  const folder = join(root, 'store')
  const open = () => openStore({ folder, key: new Uint8Array(32), tables: MEMBER_TABLES, create: true })
  let store = await open()
  t.teardown(async () => {
    await store.close()
    rmSync(root, { recursive: true, force: true })
  })
  const reopen = async (): Promise<Members> => {
    await store.close()
    store = await open()
    return new Members(store, randomBytes)
  }
  const keeps = ({ id }: Credential): boolean => {
    const record = store.table('members').get(id)
    return record !== undefined && (decodeMessage(record) as { key: Uint8Array }).key.length > 0
  }
  return { folder, members: new Members(store, randomBytes), keeps, reopen }
}

const invite = async (members: Members, change: Partial<InviteRequest> = {}): Promise<NewInvite> =>
  (await members.createInvites(1, { ...once_, ...change }, now))[0]!

interface Credential {
  readonly id: Uint8Array
  readonly key: Uint8Array
}

const drawCredential = (): Credential => ({ id: randomBytes(16), key: randomBytes(32) })
const transcript = utf8('a transcript of a handshake')
const shows = (members: Members, { id, key }: Credential): unknown =>
  members.authenticate(id, transcript, membershipProof(key, transcript))

test('a code becomes a credential, which then proves itself, also after a restart', async (t) => {
  const { members, reopen } = await place(t)
  const { code } = await invite(members)
  const own = drawCredential()
  t.is(shows(members, own), undefined)
  const caller = await members.redeem(code, own.id, own.key, now)
  t.is(caller?.role, 'member')
  t.regex(caller?.member ?? '', /^[0-9a-f]{32}$/)
  const again = await reopen()
  t.deepEqual(shows(again, own), caller)
  t.deepEqual(await again.redeem(code, own.id, own.key, now), caller, 'the same credential may come again')
})

test('a wrong key, proof, transcript or credential is nobody', async (t) => {
  const { members } = await place(t)
  const { code } = await invite(members)
  const own = drawCredential()
  await members.redeem(code, own.id, own.key, now)
  const proof = membershipProof(own.key, transcript)
  for (let at = 0; at < proof.length; at++) {
    const flipped = Uint8Array.from(proof)
    flipped[at]! ^= 1
    t.is(members.authenticate(own.id, transcript, flipped), undefined)
  }
  t.is(members.authenticate(own.id, utf8('another transcript'), proof), undefined)
  t.is(members.authenticate(randomBytes(16), transcript, proof), undefined)
  t.is(members.authenticate(own.id, transcript, new Uint8Array(0)), undefined)
  const unknown = randomBytes(16)
  t.is(members.authenticate(unknown, transcript, membershipProof(new Uint8Array(32), transcript)), undefined)
})

test('a code is for as many as it says, however they crowd', async (t) => {
  const { members } = await place(t)
  const { code, info } = await invite(members, { uses: 3 })
  const all = Array.from({ length: 10 }, drawCredential)
  const callers = await Promise.all(all.map(({ id, key }) => members.redeem(code, id, key, now)))
  t.is(callers.filter((caller) => caller !== undefined).length, 3)
  t.is(new Set(callers.map((caller) => caller?.member)).size, 4)
  t.deepEqual(
    members.listInvites(now).map(({ id, used, state }) => ({ id, used, state })),
    [{ id: info.id, used: 3, state: 'used' }],
  )
})

test('somebody else’s credential id, another key or another code for it are refused', async (t) => {
  const { members } = await place(t)
  const [one, two] = [await invite(members, { uses: 2 }), await invite(members)]
  const own = drawCredential()
  await members.redeem(one.code, own.id, own.key, now)
  t.is(await members.redeem(one.code, own.id, randomBytes(32), now), undefined)
  t.is(await members.redeem(two.code, own.id, own.key, now), undefined)
  t.is(members.listInvites(now).find(({ id }) => id === two.info.id)?.used, 0)
  t.is(await members.redeem(randomBytes(16), own.id, own.key, now), undefined)
})

test('an expired code is refused; who redeemed it in time stays', async (t) => {
  const { members } = await place(t)
  const { code } = await invite(members, { uses: 2, days: 1 })
  const [early, late] = [drawCredential(), drawCredential()]
  t.truthy(await members.redeem(code, early.id, early.key, now + DAY_MS - 1))
  t.is(await members.redeem(code, late.id, late.key, now + DAY_MS), undefined)
  t.truthy(await members.redeem(code, early.id, early.key, now + DAY_MS))
  t.truthy(shows(members, early))
  t.is(members.listInvites(now + DAY_MS)[0]?.state, 'expired')
})

test('a guest’s invite makes guests', async (t) => {
  const { members } = await place(t)
  const { code } = await invite(members, { role: 'guest' })
  const own = drawCredential()
  t.is((await members.redeem(code, own.id, own.key, now))?.role, 'guest')
  t.like(shows(members, own), { role: 'guest' })
})

test('a revocation ends an invite and its members, and nobody else, for ever', async (t) => {
  const { members, keeps, reopen } = await place(t)
  const [bad, good] = await members.createInvites(2, { ...once_, uses: 2 }, now)
  const [one, two, three] = [drawCredential(), drawCredential(), drawCredential()]
  await members.redeem(bad!.code, one.id, one.key, now)
  await members.redeem(good!.code, two.id, two.key, now)
  t.is(await members.revoke(bad!.info.id), 1)
  t.is(await members.revoke(bad!.info.id), 1, 'may be repeated')
  t.deepEqual([keeps(one), keeps(two)], [false, true], 'its key is gone')
  t.is(await members.revoke('00'.repeat(8)), undefined)
  t.is(await members.revoke('not hexadecimal'), undefined)
  for (const next of [async () => members, reopen]) {
    const place_ = await next()
    t.is(shows(place_, one), undefined)
    t.truthy(shows(place_, two))
    t.is(await place_.redeem(bad!.code, one.id, one.key, now), undefined)
    t.is(await place_.redeem(bad!.code, three.id, three.key, now), undefined)
    t.deepEqual(
      place_
        .listInvites(now)
        .map(({ id, state }) => [id, state])
        .toSorted(),
      [
        [bad!.info.id, 'revoked'],
        [good!.info.id, 'open'],
      ].toSorted(),
    )
  }
})

test('a claim counts only in a first contact of its own cohort', async (t) => {
  const { members } = await place(t)
  const [one, other] = [await invite(members), await invite(members)]
  const own = drawCredential()
  const redeeming = { kind: 'redeem', code: one.code, credentialId: own.id, credentialKey: own.key } as const
  t.is(await members.admit(redeeming, other.cohort.id, now), undefined)
  t.is(members.listInvites(now).filter(({ used }) => used > 0).length, 0, 'nothing was redeemed')
  const caller = await members.admit(redeeming, one.cohort.id, now)
  t.truthy(caller)
  const proof = membershipProof(own.key, transcript)
  const proving = { kind: 'credential', credentialId: own.id, proof, transcript } as const
  t.deepEqual(await members.admit(proving, one.cohort.id, now), caller)
  t.is(await members.admit(proving, other.cohort.id, now), undefined)
  t.is(await members.admit({ ...proving, proof: randomBytes(32) }, one.cohort.id, now), undefined)
})

test('invites made together share a cohort of bounded size; those made apart do not', async (t) => {
  const { members } = await place(t)
  const batch = await members.createInvites(7, { ...once_, uses: 10 }, now)
  const sizes = new Map<string, number>()
  for (const { cohort } of batch) sizes.set(cohort.id, (sizes.get(cohort.id) ?? 0) + 10)
  t.deepEqual([...sizes.values()], [30, 30, 10])
  t.false(sizes.has((await invite(members)).cohort.id))
  t.is(members.cohorts(now).length, 4)
  t.deepEqual(
    members.cohorts(now).find(({ id }) => id === batch[0]!.cohort.id),
    batch[0]!.cohort,
  )
})

test('a cohort is recognised while somebody uses it or still may', async (t) => {
  const { members } = await place(t)
  const names = (at: number): string[] => members.cohorts(at).map(({ id }) => id)
  const [one, two] = await members.createInvites(2, { ...once_, days: 2 }, now)
  const unused = await invite(members, { days: 1 })
  t.deepEqual(names(now).toSorted(), [one!.cohort.id, unused.cohort.id].toSorted())
  t.deepEqual(names(now + DAY_MS), [one!.cohort.id])
  const own = drawCredential()
  await members.redeem(one!.code, own.id, own.key, now)
  t.deepEqual(names(now + 3 * DAY_MS), [one!.cohort.id], 'a member is in it')
  await members.revoke(one!.info.id)
  t.deepEqual(names(now).toSorted(), [two!.cohort.id, unused.cohort.id].toSorted(), 'the other of the batch is open')
  await members.revoke(two!.info.id)
  t.deepEqual(names(now), [unused.cohort.id])
})

test('numbers out of range are refused', async (t) => {
  const { members } = await place(t)
  const bad: [number, Partial<InviteRequest>][] = [
    [0, {}],
    [1_001, {}],
    [1, { uses: 0 }],
    [1, { uses: MemberLimits.cohortUses + 1 }],
    [1, { days: MemberLimits.inviteDays + 1 }],
    [1, { days: 0.5 }],
  ]
  for (const [count, change] of bad) {
    await t.throwsAsync(members.createInvites(count, { ...once_, ...change }, now), { instanceOf: RangeError })
  }
  t.deepEqual(members.listInvites(now), [])
})

test('no code, credential, cohort secret or name stands on disk', async (t) => {
  const { members, folder } = await place(t)
  const { code, cohort } = await invite(members, { name: 'a planted name' })
  const own = drawCredential()
  await members.redeem(code, own.id, own.key, now)
  for (const file of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, file))
    for (const planted of [code, cohort.secret, own.id, own.key, utf8('planted')]) t.is(bytes.indexOf(planted), -1)
  }
})

/** What the watcher told, and a way to wait for it. */
function watched(t: ExecutionContext, members: Members) {
  const revoked: string[] = []
  const cohorts: (readonly CohortSecret[])[] = []
  let wake: () => void = () => undefined
  const stop = watchMembers(members, {
    now: () => now,
    cohorts(list) {
      cohorts.push(list)
      wake()
    },
    revoked(member) {
      revoked.push(member)
      wake()
    },
    fault: (error) => t.fail(String(error)),
  })
  t.teardown(stop)
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { revoked, cohorts, until }
}

/** The command line in another process. */
async function elsewhere(folder: string, line: string): Promise<void> {
  const program = `
    import { Members } from '#gateway/members.ts'
    import { MEMBER_TABLES } from '#gateway/members-records.ts'
    import { openStore } from '#gateway/store/store.ts'
    import { randomBytes } from '#protocol/crypto/random.ts'
    const store = await openStore({ folder: ${JSON.stringify(folder)}, key: new Uint8Array(32), tables: MEMBER_TABLES })
    const members = new Members(store, randomBytes)
    await ${line}
    await store.close()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: join(import.meta.dirname, '..'),
    stdio: 'inherit',
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`the other process failed: ${String(code)}`)
}

test('an invite that a running gateway makes itself is known when it is there, and a revocation bites at once', async (t) => {
  const { members } = await place(t)
  const { revoked, cohorts } = watched(t, members)
  const { info, code } = await invite(members, {})
  t.deepEqual(
    cohorts.map((list) => list.length),
    [0, 1],
  )
  const own = drawCredential()
  const caller = await members.redeem(code, own.id, own.key, now)
  await members.revoke(info.id)
  t.deepEqual(revoked, [caller!.member])
})

test('a running gateway learns of invites and revocations made by another process', async (t) => {
  const { members, folder } = await place(t)
  const first = await invite(members, { uses: 2 })
  const [one, two] = [drawCredential(), drawCredential()]
  const callers = [
    await members.redeem(first.code, one.id, one.key, now),
    await members.redeem(first.code, two.id, two.key, now),
  ]
  const { revoked, cohorts, until } = watched(t, members)
  t.is(cohorts.length, 1, 'told at once')
  await elsewhere(folder, `members.createInvites(1, ${JSON.stringify(once_)}, ${now})`)
  await until(() => cohorts.length === 2)
  t.is(cohorts[1]!.length, 2)
  t.deepEqual(revoked, [])
  await elsewhere(folder, `members.revoke('${first.info.id}')`)
  t.is(shows(members, one), undefined, 'a new handshake is refused at once, without the watcher')
  await until(() => revoked.length === 2)
  t.deepEqual(revoked.toSorted(), callers.map((caller) => caller!.member).toSorted())
  t.is(cohorts.at(-1)!.length, 1, 'and its cohort is gone')
})

test('every change tells all revoked members again, so that no session begun meanwhile is missed', async (t) => {
  const { members } = await place(t)
  const [old, fresh] = [await invite(members), await invite(members)]
  const told: string[] = []
  for (const { code } of [old, fresh]) {
    const own = drawCredential()
    told.push((await members.redeem(code, own.id, own.key, now))!.member)
  }
  await members.revoke(old.info.id)
  const { revoked, until } = watched(t, members)
  t.deepEqual(revoked, [told[0]])
  await members.revoke(fresh.info.id)
  await until(() => revoked.length > 1)
  t.deepEqual(revoked.slice(1).toSorted(), told.toSorted())
})

test('a revoked credential cannot come back under another invite, where its end would go unnoticed', async (t) => {
  const { members } = await place(t)
  const [first, second] = [await invite(members), await invite(members)]
  const own = drawCredential()
  await members.redeem(first.code, own.id, own.key, now)
  await members.revoke(first.info.id)
  t.is(await members.redeem(second.code, own.id, own.key, now), undefined)
  t.is(await members.redeem(second.code, own.id, drawCredential().key, now), undefined)
  const fresh = drawCredential()
  t.is((await members.redeem(second.code, fresh.id, fresh.key, now))?.role, 'member')
})
