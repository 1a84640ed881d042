/** Network, site and everybody who comes to it, for one run of the lab. */
import { existsSync, mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Owner } from '#test/helpers/command.ts'
import { memberFlags } from '../../scripts/node-flags.ts'
import type { Browsers } from './drivers/browser.ts'
import { browserGuest, startBrowsers } from './drivers/browser.ts'
import type { Calls } from './drivers/calls.ts'
import { startCalls } from './drivers/calls.ts'
import type { Guest, GuestPlace } from './drivers/guest.ts'
import { MESSAGE_OCTETS } from './drivers/guest.ts'
import type { Network, Wire } from './ground/network.ts'
import { inside, openNetwork, SERVER } from './ground/network.ts'
import type { Site } from './ground/site.ts'
import { openSite } from './ground/site.ts'

/** Where there is no disk that many members at once would keep waiting, which would show in times. */
const MEMORY = '/dev/shm'

/** `ours`: a member. `browser`, `program`: a genuine visitor in Chromium, or in a program on Node's own fetch. */
export type GuestKind = 'ours' | 'browser' | 'program'

export interface World {
  readonly folder: string
  readonly network: Network
  readonly site: Site
  /** Somebody new. Members join and get to know somebody at once; that is not watched. */
  guest(kind: GuestKind, template: CompiledTemplate, place: GuestPlace): Promise<Guest>
  /** Files with the secrets of all connections. */
  readonly keys: readonly string[]
}

export async function openWorld(
  owner: Owner,
  wire: Wire,
  templates: readonly CompiledTemplate[],
  withBrowser: boolean,
): Promise<World> {
  const folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'sotto-lab-'))
  owner.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
  const network = await openNetwork(owner, wire)
  const site = await openSite(owner, { network, folder, templates })
  const keysOf = (name: string): string => join(folder, `${name}.keys`)
  const browserKeys = keysOf('browser')
  const browsers = withBrowser
    ? startBrowsers(owner, { namespace: network.clients, folder, spki: site.spki, keys: browserKeys })
    : undefined
  const keys = [...(withBrowser ? [browserKeys] : []), keysOf('program')]
  // Each watched member is a process, as with people: what one does must not wait for what another does.
  const near = async (name: string): Promise<Calls> => {
    keys.push(keysOf(name))
    return await members(owner, network.clients, folder, name, keysOf(name))
  }
  const far = await members(owner, network.server, folder, 'far', keysOf('far'))
  const keylog = [`--tls-keylog=${keysOf('program')}`]
  const program = await startProgram(owner, network.clients, 'visitor.ts', [site.certificate, SERVER], keylog)
  const parts = { site, near, far, program, browsers }
  return {
    ...{ folder, network, site },
    guest: (kind, template, place) => guestOf(parts, kind, template, place),
    keys,
  }
}

function startProgram(
  owner: Owner,
  namespace: string,
  script: string,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<Calls> {
  const argv = [...memberFlags, '--no-warnings', ...flags, join(import.meta.dirname, 'drivers', script), ...args]
  return startCalls(owner, ...inside(namespace, process.execPath, argv))
}

function members(owner: Owner, namespace: string, folder: string, name: string, keys: string): Promise<Calls> {
  const place = join(folder, name)
  mkdirSync(place, { mode: 0o700 })
  return startProgram(owner, namespace, 'member.ts', [place, keys])
}

interface Parts {
  readonly site: Site
  readonly near: (name: string) => Promise<Calls>
  readonly far: Calls
  readonly program: Calls
  readonly browsers: Browsers | undefined
}

async function guestOf(parts: Parts, kind: GuestKind, template: CompiledTemplate, place: GuestPlace): Promise<Guest> {
  const { site, program, browsers } = parts
  if (kind === 'ours') return await memberOf(parts, template, place)
  const { host } = place
  const open = (): void => site.application.tell({ room: host, template: template.id })
  const hear = (): void => site.application.tell({ room: host, news: MESSAGE_OCTETS })
  if (kind === 'browser') return browserGuest(browsers!, template, place, { open, hear })
  return {
    enter: async () => {
      open()
      await program.call({ run: 'enter', host, template: template.id })
    },
    say: () => program.tell({ run: 'say', host, kind: 'send' }),
    notice: () => program.tell({ run: 'say', host, kind: 'notice' }),
    hear,
    leave: async () => void (await program.call({ run: 'leave', host })),
  }
}

async function memberOf(parts: Parts, template: CompiledTemplate, { host }: GuestPlace): Promise<Guest> {
  const { site, far } = parts
  const name = host
  const near = await parts.near(name)
  const join = async (calls: Calls): Promise<string> => {
    const { card } = await calls.call({ run: 'join', name, link: await site.invite(host, template.id) })
    return card as string
  }
  const [mine, theirs] = await Promise.all([join(near), join(far)])
  await Promise.all([near.call({ run: 'add', name, card: theirs }), far.call({ run: 'add', name, card: mine })])
  // Until what two people tell each other once, keys above all, has been told.
  for (let turn = 0; turn < 3; turn++) {
    near.tell({ run: 'say', name, letters: 10 })
    await far.call({ run: 'met', name })
    far.tell({ run: 'say', name, letters: 10 })
    await near.call({ run: 'met', name })
  }
  await near.call({ run: 'close', name })
  // The first times somebody comes back they bring what others need to reach them; that happens once.
  for (let time = 0; time < 2; time++) {
    await near.call({ run: 'open', name, template: template.id })
    await near.call({ run: 'stocked', name })
    await near.call({ run: 'rest', name })
    await near.call({ run: 'close', name })
  }
  // Nothing waits for whoever comes, as nothing waits for genuine visitors: what the last talk owes is told before leaving.
  const owed = async (): Promise<void> => {
    await Promise.all([near.call({ run: 'rest', name }), far.call({ run: 'rest', name })])
    await near.call({ run: 'rest', name })
  }
  return {
    enter: async () => void (await near.call({ run: 'open', name, template: template.id })),
    say: (letters) => near.tell({ run: 'say', name, letters }),
    notice: () => {},
    hear: (letters) => far.tell({ run: 'say', name, letters }),
    leave: async () => {
      await owed()
      await near.call({ run: 'close', name })
    },
  }
}
