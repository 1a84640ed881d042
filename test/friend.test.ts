/** `sotto friend` as people meet it: a gateway that is a tracker as well, and two members who have never met. */
import test from 'ava'
import { jsonLines, member, operator, SharedOwner } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { joined, makeGateway, succeed } from './helpers/command-gateway.ts'

const shared = new SharedOwner()
let gateway: GatewayProcess
let ada: string
let ben: string
/** Ada's. */
let id: string

test.before(async () => {
  gateway = await makeGateway(shared)
  const made = await succeed(operator(shared, ['tracker', 'init', '--gateway', gateway.state, '--json']))
  const { line } = JSON.parse(made) as { line: string }
  await succeed(operator(shared, ['gateway', 'trackers', '--state', gateway.state, line]))
  await gateway.start()
  ;[ada, ben] = await Promise.all([joined(shared, gateway, 'Ada'), joined(shared, gateway, 'Ben')])
})
test.after.always(() => shared.end())

test.serial('an id is shown, and whoever has it finds the person', async (t) => {
  const shown = JSON.parse(await succeed(member(t, ada, ['friend', 'id', '--json']))) as {
    id: string
    trackers: number
  }
  t.is(shown.trackers, 1)
  id = shown.id
  const found = JSON.parse(await succeed(member(t, ben, ['friend', 'find', id, '--json'])))
  t.like(found, { name: 'Ada', state: 'online' })
})

test.serial('what is said to somebody found arrives as a request', async (t) => {
  const added = await succeed(member(t, ben, ['friend', 'add', id, 'Hello', 'Ada', '--json']))
  t.like(JSON.parse(added), { contact: { name: 'Ada', status: 'accepted' }, message: { text: 'Hello Ada' } })
  t.like(jsonLines(await succeed(member(t, ada, ['recv', '--json'])))[0], { text: 'Hello Ada', name: 'Ben' })
  t.regex(await succeed(member(t, ada, ['contacts'])), /^Ben \(request/)
})

test.serial('contacts who say that they are online are shown; the operator sees a number', async (t) => {
  t.regex(await succeed(member(t, ben, ['friend'])), /^Ada is online/)
  const status = await succeed(operator(t, ['tracker', 'status', '--gateway', gateway.state, '--json']))
  t.like(JSON.parse(status), { records: 1 })
})

test.serial(
  'who guards their id is reached by who answers: wrong answers and weak ones are said to be so',
  async (t) => {
    // Ten programs, one after the other: nothing is heard of them meanwhile.
    t.timeout(300_000)
    const cleo = await joined(shared, gateway, 'Cleo')
    const guard = (...args: string[]) => ['friend', 'guard', ...args, '--json']
    const weak = await member(t, ada, guard('First pet?'), 'Murka\n')
    t.is(weak.status, 2)
    t.regex(weak.err, /E_ANSWER_WEAK.+10 bits/)
    for (const words of [guard('--off', 'First pet?'), ['friend', 'question', '--off', 'First', 'pet?', '--json']]) {
      const refused = await member(t, ada, words)
      t.is(refused.status, 2)
      t.regex(refused.err, /E_USAGE.+--off/)
    }
    const answers = 'Murka the Second\nbehind  the old MILL\n'
    const set = await succeed(member(t, ada, guard('Which cat?', 'Where did it sleep?'), answers))
    t.like(JSON.parse(set), { questions: ['Which cat?', 'Where did it sleep?'], trackers: 1 })
    t.like(JSON.parse(await succeed(member(t, cleo, ['friend', 'find', id, '--json']))), {
      ...{ questions: ['Which cat?', 'Where did it sleep?'], state: 'online' },
    })
    const add = ['friend', 'add', id, 'Hello again', '--json']
    const wrong = await member(t, cleo, add, 'Murka the Second\nin the new mill\n')
    t.is(wrong.status, 2)
    t.regex(wrong.err, /E_ANSWER_WRONG/)
    const missing = await member(t, cleo, add, 'Murka the Second\n')
    t.regex(missing.err, /E_PROOF_SECRET/)
    t.is(await succeed(member(t, cleo, ['contacts', '--json'])), '', 'nobody was added')
    const added = await succeed(member(t, cleo, add, 'murka the second\nBehind the Old Mill\n'))
    t.like(JSON.parse(added), { contact: { name: 'Ada' }, message: { text: 'Hello again' } })
    t.like(jsonLines(await succeed(member(t, ada, ['recv', '--json'])))[0], { text: 'Hello again', name: 'Cleo' })
    await succeed(member(t, ada, guard('--off')))
    t.like(JSON.parse(await succeed(member(t, ben, ['friend', 'find', id, '--json']))), { name: 'Ada' })
  },
)

test.serial('hidden, or mistyped: what to do is said', async (t) => {
  t.regex((await member(t, ada, ['friend', 'hide'])).err, /^One tracker knows it/m)
  const hidden = await member(t, ben, ['friend', 'find', id])
  t.is(hidden.status, 1)
  t.regex(hidden.err, /E_PERSON_UNKNOWN: .+\n.+card/)
  const mistyped = await member(t, ben, ['friend', 'find', id.slice(1)])
  t.is(mistyped.status, 2)
  t.regex(mistyped.err, /E_PERSON_ID/)
})
