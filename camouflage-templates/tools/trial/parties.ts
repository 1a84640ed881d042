/** A throw-away gateway with the sample site, and two members who have each other's card: all in this process, on loopback. */

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { realClockwork } from '#client/clockwork.ts'
import { Member } from '#client/member.ts'
import type { CompiledTemplate } from '#engine/compile.ts'
import { systemBroker } from '#firewall/system-broker.ts'
import { initGateway } from '#gateway/admin/init.ts'
import { createInvitesIn } from '#gateway/admin/invites.ts'
import { startGateway } from '#gateway/gateway.ts'
import type { GatewayState } from '#gateway/state.ts'
import { openState } from '#gateway/state.ts'
import type { Relay } from './relay.ts'
import { startRelay } from './relay.ts'

export interface Parties {
  readonly relay: Relay
  /** Certificate of the gateway, PEM. */
  readonly certificate: string
  readonly members: readonly [Member, Member]
}

/** Things to undo, the last first. */
export type Undo = (() => Promise<void> | void)[]

const NAMES = ['Ada', 'Ben'] as const
const REACHED_MS = 20_000

/** `folder` is empty and private. What has been started is put into `undo` as it is started. */
export async function startParties(folder: string, template: CompiledTemplate, undo: Undo): Promise<Parties> {
  const port = await freePort()
  const relay = await startRelay(() => port)
  undo.push(() => relay.close())
  const stateFolder = join(folder, 'gateway')
  const state = await startTrialGateway(stateFolder, port, relay.port, template, undo)
  const members: Member[] = []
  for (const name of NAMES) members.push(await admit(folder, state, name, template, undo))
  const [a, b] = members as [Member, Member]
  await Promise.all([a.reached(REACHED_MS), b.reached(REACHED_MS)])
  const [cardOfA, cardOfB] = [await a.chat.myCard(), await b.chat.myCard()]
  a.chat.addContact(cardOfB)
  b.chat.addContact(cardOfA)
  return { relay, certificate: join(stateFolder, 'certificate.pem'), members: [a, b] }
}

async function startTrialGateway(
  folder: string,
  port: number,
  publicPort: number,
  template: CompiledTemplate,
  undo: Undo,
): Promise<GatewayState> {
  const listen = `https://127.0.0.1:${port}`
  const where = {
    domain: 'localhost',
    address: ['127.0.0.1'],
    listen,
    port: publicPort,
    selfSigned: true,
    acme: false,
    force: false,
  }
  // The configuration names a built-in template; what the gateway takes is given to it below.
  await initGateway({ state: folder, name: 'Trial', template: ['support-chat'], ...where }, new Date())
  const state = await openState(folder)
  undo.push(() => state.close())
  const gateway = await startGateway({ state, templates: [template], log: () => {} })
  undo.push(() => gateway.stop())
  return state
}

async function admit(
  folder: string,
  state: GatewayState,
  name: string,
  template: CompiledTemplate,
  undo: Undo,
): Promise<Member> {
  // Not by the command's own way, which opens the store: twice in one process, a write of one waits for ever for the other's.
  const options = { name, count: 1, uses: 1, days: 1, role: 'member' } as const
  const [invite] = await createInvitesIn(state, options, Date.now())
  const broker = await systemBroker(join(folder, name, 'firewall'))
  undo.push(() => broker.close())
  await broker.admitInvite(invite!.link)
  const member = await Member.open({
    ...{ broker, folder: join(folder, name, 'core'), clockwork: realClockwork, online: true, newName: name },
    ...{ template: template.id, templates: [template] },
  })
  undo.push(() => member.close())
  return member
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
