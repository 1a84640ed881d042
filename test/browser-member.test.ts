/** Two members talk, one of them by the installed browser: a whole conversation by a page's own `fetch`. */
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
import type { LocalBroker } from '#firewall/library.ts'
import { openBroker } from '#firewall/library.ts'
import type { FirewallEvent } from '#firewall/permit.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { temporaryFolder } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { invite, startedGateway } from './helpers/command-gateway.ts'

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
  const member = await Member.open({
    ...{ broker, folder: join(folder, 'core'), clockwork: realClockwork, online: true, newName: name },
    template: dialer.describe().family === 'chromium' ? 'support-chat-chromium' : 'support-chat',
  })
  t.teardown(() => member.close())
  await member.reached(REACH_MS)
  return { member, broker, events }
}

function heard({ member }: Person, text: string): Promise<void> {
  return new Promise((resolve) => {
    member.chat.onEvent((event) => {
      if (event.type === 'message' && event.message.from === 'them' && event.message.text === text) resolve()
    })
  })
}

test('a conversation both ways', async (t) => {
  const gateway = await startedGateway(t)
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
