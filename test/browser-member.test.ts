/** Two members talk, one of them by the installed browser: a whole conversation by a page's own `fetch`. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { realClockwork } from '#client/clockwork.ts'
import { Member } from '#client/member.ts'
import type { Dialer } from '#firewall/dialers/dialer.ts'
import { installedDialer } from '#firewall/dialers/installed/installed.ts'
import { findBrowser } from '#firewall/dialers/installed/program.ts'
import { systemRoute } from '#firewall/dialers/route.ts'
import { tlsConnector } from '#firewall/dialers/tls-connector.ts'
import { undiciDialer } from '#firewall/dialers/undici.ts'
import { openBroker } from '#firewall/library.ts'
import type { LocalBroker } from '#firewall/local-broker.ts'
import type { FirewallEvent } from '#firewall/permit.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { jsonLines, member, SharedOwner, temporaryFolder } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { invite, startedGateway, succeed } from './helpers/command-gateway.ts'

const REACH_MS = 60_000

interface Person {
  readonly member: Member
  readonly broker: LocalBroker
  readonly events: FirewallEvent[]
}

async function joinBy(
  t: ExecutionContext,
  gateway: GatewayProcess,
  name: string,
  make: (folder: string) => Promise<Dialer>,
): Promise<Person> {
  const folder = await temporaryFolder(t)
  const state = join(folder, 'firewall')
  const dialer = await make(state)
  const broker = await openBroker({ folder: state, dialers: [dialer], now: Date.now, random: randomBytes })
  t.teardown(() => broker.close())
  const events: FirewallEvent[] = []
  broker.onEvent((event) => events.push(event))
  await broker.admitInvite((await invite(t, gateway)).link)
  const own = await Member.open({
    ...{ broker, folder: join(folder, 'core'), clockwork: realClockwork, online: true, newName: name },
    template: dialer.describe().family === 'chromium' ? 'support-chat-chromium' : 'support-chat',
  })
  t.teardown(() => own.close())
  await own.reached(REACH_MS)
  return { member: own, broker, events }
}

function heard(person: Person, text: string): Promise<void> {
  return new Promise((resolve) => {
    person.member.chat.onEvent((event) => {
      if (event.type === 'message' && event.message.from === 'them' && event.message.text === text) resolve()
    })
  })
}

const shared = new SharedOwner()
let gateway: GatewayProcess

test.before(async () => {
  gateway = await startedGateway(shared, undefined, ['support-chat', 'support-chat-chromium'])
})
test.after.always(() => shared.end())

test('as people type it: nothing but the browser goes out, and only where one is there', async (t) => {
  const state = join(await temporaryFolder(t), 'Cleo')
  const { link } = await invite(t, gateway)
  const by = ['--browser', 'chromium']
  await succeed(member(t, state, ['join', '--name', 'Cleo', ...by], link))
  const [status] = jsonLines(await succeed(member(t, state, ['status', '--json', ...by])))
  t.like(status, { state: { kind: 'ready' } } as object)
  t.regex(String(status!.template), /-chromium$/)
  const log = await readFile(join(state, 'firewall', 'audit.log'), 'utf8')
  t.false(log.includes('closed-road'), 'the lockdown has let it start')
  const missing = await member(t, state, ['status', '--browser', '/nowhere'])
  t.regex(missing.err, /E_BROWSER_MISSING/)
})

test('a conversation both ways', async (t) => {
  const browser = await findBrowser(undefined, process.env)
  const route = systemRoute()
  const ada = await joinBy(t, gateway, 'Ada', async (folder) => installedDialer({ browser, folder, route }))
  const ben = await joinBy(t, gateway, 'Ben', async () => undiciDialer({ connector: tlsConnector() }))
  const ofBen = ada.member.chat.addContact(await ben.member.chat.myCard())
  const ofAda = ben.member.chat.addContact(await ada.member.chat.myCard())
  for (let i = 0; i < 3; i++) {
    const [there, back] = [heard(ben, `there ${i}`), heard(ada, `back ${i}`)]
    ada.member.chat.send(ofBen.id, `there ${i}`)
    await there
    ben.member.chat.send(ofAda.id, `back ${i}`)
    await back
  }
  const dialed = ada.events.filter(({ kind, reason }) => kind === 'dialed' && reason === undefined)
  t.true(dialed.length > 0)
  t.false(ada.events.some(({ reason }) => reason === 'beyond-a-page'))
})
