/** `sotto friend` as people meet it: a gateway that is a tracker as well, and two members who have never met. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { jsonLines, member, operator, SharedOwner } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { joined, makeGateway, succeed } from './helpers/command-gateway.ts'

const shared = new SharedOwner()
let gateway: GatewayProcess
let ada: string
let ben: string

test.before(async () => {
  gateway = await makeGateway(shared)
  const made = await succeed(operator(shared, ['tracker', 'init', '--gateway', gateway.state, '--json']))
  const { line } = JSON.parse(made) as { line: string }
  await succeed(operator(shared, ['gateway', 'trackers', '--state', gateway.state, line]))
  await gateway.start()
  ;[ada, ben] = await Promise.all([joined(shared, gateway, 'Ada'), joined(shared, gateway, 'Ben')])
})
test.after.always(() => shared.end())

test.serial('two who have never met: an id, a request, an answer', async (t) => {
  const { id, trackers } = JSON.parse(await succeed(member(t, ada, ['friend', 'id', '--json']))) as {
    id: string
    trackers: number
  }
  t.is(trackers, 1)
  const found = JSON.parse(await succeed(member(t, ben, ['friend', 'find', id, '--json'])))
  t.like(found, { name: 'Ada', state: 'online' })
  const added = await succeed(member(t, ben, ['friend', 'add', id, 'Hello', 'Ada', '--json']))
  t.like(JSON.parse(added), { contact: { name: 'Ada', status: 'accepted' }, message: { text: 'Hello Ada' } })
  const [message] = jsonLines(await succeed(member(t, ada, ['recv', '--json'])))
  t.like(message, { text: 'Hello Ada', name: 'Ben' })
  t.regex(await succeed(member(t, ada, ['contacts'])), /^Ben \(request/)
  await succeed(member(t, ada, ['contacts', 'accept', 'Ben']))
  await succeed(member(t, ada, ['send', 'Ben', 'Hello Ben']))
  t.like(jsonLines(await succeed(member(t, ben, ['recv', '--json'])))[0], { text: 'Hello Ben', name: 'Ada' })
  t.regex(await succeed(member(t, ben, ['friend'])), /^Ada is online/)
  const status = await succeed(operator(t, ['tracker', 'status', '--gateway', gateway.state, '--json']))
  t.like(JSON.parse(status), { records: 1 })
})

test.serial('hidden, mistyped, without a tracker: what to do is said', async (t) => {
  const { id } = JSON.parse(await succeed(member(t, ada, ['friend', 'id', '--json']))) as { id: string }
  await succeed(member(t, ada, ['friend', 'hide']))
  const hidden = await member(t, ben, ['friend', 'find', id])
  t.is(hidden.status, 1)
  t.regex(hidden.err, /E_PERSON_UNKNOWN: .+\n.+card/)
  const mistyped = await member(t, ben, ['friend', 'find', id.slice(1)])
  t.is(mistyped.status, 2)
  t.regex(mistyped.err, /E_PERSON_ID/)
  rmSync(join(gateway.state, 'trackers.list'))
  await gateway.stop()
  await gateway.start()
  // Ben has the list still, and its gateway does not carry to it any more; who joins now has none.
  const late = await joined(t, gateway, 'Late')
  const none = await member(t, late, ['friend', 'id'])
  t.is(none.status, 4)
  t.regex(none.err, /E_TRACKER_NONE/)
  t.regex((await member(t, ben, ['friend', 'find', id])).err, /E_TRACKER_UNREACHABLE/)
})
