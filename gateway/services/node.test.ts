import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { configText } from '#gateway/admin/config-text.ts'
import type { GatewayState } from '#gateway/state.ts'
import { initState, openState } from '#gateway/state.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { parseInvite } from '#protocol/invite.ts'
import type { Caller } from '#protocol/services/service.ts'
import { anna, guest, refusalOf } from './mailbox/fixture.ts'
import { NodeLimits, nodeService } from './node.ts'

const now = 1_900_000_000_000
const ada = new Uint8Array(16).fill(1)
const ben = new Uint8Array(16).fill(2)

interface Place {
  readonly state: GatewayState
  readonly call: (method: string, args: unknown, caller?: Caller) => Promise<Record<string, unknown>>
}

async function place(t: ExecutionContext, domain = 'anna.example', folder?: string): Promise<Place> {
  const root = folder ?? mkdtempSync(join(tmpdir(), 'sotto-node-'))
  const answers = {
    ...{ name: 'Anna', domain, port: 443, addresses: [], listen: { http: '127.0.0.1:1' } as const },
    ...{ tls: undefined, acme: undefined, decoy: { folder: 'site' } as const, front: {}, node: true },
  }
  await initState(join(root, 'state'), configText({ ...answers, templates: ['support-chat'] }))
  const state = await openState(join(root, 'state'))
  t.teardown(async () => {
    await state.close()
    rmSync(root, { recursive: true, force: true })
  })
  const { unary } = nodeService(
    state,
    () => now,
    (error) => t.fail(String(error)),
  )
  const call = async (method: string, args: unknown, caller: Caller = anna): Promise<Record<string, unknown>> =>
    (await unary[method]!(args, caller)) as Record<string, unknown>
  return { state, call }
}

const live = ({ state }: Place): string[] =>
  state.members.listInvites(now).flatMap((each) => (each.state === 'revoked' ? [] : [`${each.name} ${each.role}`]))

test('an invite is for one friend, who is a guest; a new one ends what was before', async (t) => {
  const at = await place(t)
  const first = parseInvite(String((await at.call('node.invite', { friend: ada })).link), now)
  t.like(first.gateways[0], { host: 'anna.example', port: 443 })
  const credential = [randomBytes(16), randomBytes(32)] as const
  t.is((await at.state.members.redeem(first.code, ...credential, now))?.role, 'guest')
  const second = parseInvite(String((await at.call('node.invite', { friend: ada })).link), now)
  t.is(await at.state.members.redeem(first.code, ...credential, now), undefined)
  t.truthy(await at.state.members.redeem(second.code, randomBytes(16), randomBytes(32), now))
  t.deepEqual(live(at), [`friend ${'01'.repeat(16)} guest`])
})

test('who is not named any more is out, and who was invited by hand stays', async (t) => {
  const at = await place(t)
  await at.call('node.invite', { friend: ada })
  await at.call('node.invite', { friend: ben })
  for (const name of ['by hand', 'friend Carol'])
    await at.state.members.createInvites(1, { name, uses: 1, days: 7, role: 'guest' }, now)
  await at.call('node.keep', { friends: [ben, ben] })
  t.deepEqual(live(at).sort(), ['by hand guest', `friend ${'02'.repeat(16)} guest`, 'friend Carol guest'])
})

test('the place is the same until the node moves', async (t) => {
  const at = await place(t)
  const { place: before } = await at.call('node.keep', { friends: [] })
  t.deepEqual((await at.call('node.keep', { friends: [] })).place, before)
  const { state } = at
  const moved = { ...state, config: { ...state.config, domain: 'ben.example' } }
  const after = await nodeService(
    moved,
    () => now,
    (error) => t.fail(String(error)),
  ).unary['node.keep']!({ friends: [] }, anna)
  t.notDeepEqual((after as { place: Uint8Array }).place, before)
})

test('guests let nobody in, and what has another form is refused', async (t) => {
  const { call } = await place(t)
  for (const method of ['node.keep', 'node.invite'])
    t.is(await refusalOf(call(method, { friends: [], friend: ada }, guest)), 'forbidden')
  for (const friend of [undefined, null, 'ada', ada.subarray(1), 1]) {
    t.is(await refusalOf(call('node.invite', { friend })), 'invalid')
    t.is(await refusalOf(call('node.keep', { friends: [friend] })), 'invalid')
  }
  t.is(await refusalOf(call('node.invite', null)), 'invalid')
  t.is(await refusalOf(call('node.keep', { friends: ada })), 'invalid')
})

test('NodeLimits.friends', async (t) => {
  const { call } = await place(t)
  const many = (count: number) => Array.from({ length: count }, () => ada)
  t.is((await call('node.keep', { friends: many(NodeLimits.friends) })).place instanceof Uint8Array, true)
  t.is(await refusalOf(call('node.keep', { friends: many(NodeLimits.friends + 1) })), 'invalid')
})
