/** A gateway of the product in a process of its own, behind an edge, with members that are whole clients in this process. */
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClockwork } from '#client/clockwork.ts'
import { Member } from '#client/member.ts'
import { systemBroker } from '#firewall/system-broker.ts'
import type { WayChange } from '#firewall/ways.ts'
import type { Invite } from '#protocol/invite.ts'
import { encodeInvite, parseInvite } from '#protocol/invite.ts'
import { makeCertificate } from '../scripts/bench/certificate.ts'
import { freePort, reachable } from '../scripts/bench/ports.ts'
import { startOther } from '../scripts/bench/processes.ts'
import { gatewayMain, run, runJson } from '../scripts/demo/commands.ts'
import type { Edge } from './edge.ts'
import { startEdge } from './edge.ts'

export interface Place {
  /** State folder of the gateway. */
  readonly state: string
  readonly edge: Edge
  /** New members, each connected, by another way out where one is named. All members there are. */
  join(count: number, way?: WayChange): Promise<Person[]>
  /** Runs `sotto ...` of the operator on the state folder; what it printed, as JSON. */
  operator(...args: readonly string[]): Promise<unknown>
  stop(): Promise<void>
}

export interface Person {
  readonly name: string
  readonly member: Member
}

export async function openPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-lab-'))
  const state = join(folder, 'gateway')
  const port = await freePort()
  const { certificate, key } = await makeCertificate()
  const edge = await startEdge({ certificate, key, upstream: port })
  const listen = ['--listen', `http://127.0.0.1:${port}`, '--port', String(edge.port), '--address', '127.0.0.1']
  await run(gatewayMain, ['gateway', 'init', '--state', state, '--domain', 'localhost', ...listen])
  // As scripts/sotto starts it.
  const argv = ['--max-semi-space-size=8', gatewayMain, 'gateway', 'run', '--state', state]
  const gateway = startOther(process.execPath, argv, ['ignore', 'ignore', 'ignore'])
  await reachable(port)
  const people: { readonly person: Person; readonly close: () => Promise<void> }[] = []
  const operator = (...args: readonly string[]): Promise<unknown> => runJson(gatewayMain, [...args, '--state', state])
  return {
    ...{ state, edge, operator },
    join: async (count, way) => {
      const made = (await operator('invite', 'create', '--count', String(count))) as { readonly link: string }[]
      for (const { link } of made) {
        const name = `m${people.length}`
        people.push(await joinAs(name, join(folder, name), withPin(link, certificate), way))
      }
      return people.map(({ person }) => person)
    },
    stop: async () => {
      await Promise.all(people.map(({ close }) => close()))
      await gateway.end()
      edge.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function joinAs(
  name: string,
  folder: string,
  link: string,
  way: WayChange | undefined,
): Promise<{ person: Person; close: () => Promise<void> }> {
  const broker = await systemBroker(join(folder, 'firewall'))
  await broker.admitInvite(link)
  if (way !== undefined) await broker.changeWays(Promise.resolve(way))
  const ground = { broker, clockwork: realClockwork, template: undefined, online: true }
  const member = await Member.open({ ...ground, folder: join(folder, 'core'), newName: name })
  const close = async (): Promise<void> => {
    await member.close()
    await broker.close()
  }
  await member.reached(30_000).catch(async (error: unknown) => {
    await close()
    throw error
  })
  return { person: { name, member }, close }
}

/** The edge's certificate is its own: the invite says which one it is. */
function withPin(link: string, certificate: string): string {
  const tls = new Uint8Array(createHash('sha256').update(new X509Certificate(certificate).raw).digest())
  const invite: Invite = parseInvite(link, Date.now())
  return encodeInvite({ ...invite, gateways: invite.gateways.map((gateway) => ({ ...gateway, tls })) })
}
