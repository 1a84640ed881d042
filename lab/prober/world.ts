/** Everything the prober needs on this machine: the site without Sotto, the same with it, and a member who has talked. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromHex } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'
import { SharedOwner } from '#test/helpers/command.ts'
import { hasCaddy, startCaddy } from '#test/helpers/front-caddy.ts'
import { hasNginx, runNginx } from '#test/helpers/front-nginx.ts'
import { makeCertificate } from '../../scripts/bench/certificate.ts'
import { freePort, reachable } from '../../scripts/bench/ports.ts'
import type { Program } from '../../scripts/bench/processes.ts'
import { start } from '../../scripts/bench/processes.ts'
import { gatewayFlags } from '../../scripts/node-flags.ts'
import type { FrontInput, ServerText } from './front.ts'
import {
  applicationServer,
  flawedServer,
  frontText,
  gatewayServer,
  imitatedServer,
  pagesServer,
  passedTo,
  plainServer,
  timingServer,
} from './front.ts'
import type { CaddyInput } from './front-caddy.ts'
import { flawedSite, gatewaySite, plainSite, snippets, timingSite } from './front-caddy.ts'

/** What stands between the network and the gateway. */
export const fronts = ['nginx', 'caddy', 'caddy-files', 'none'] as const
/** `caddy`: an application answers everything; `caddy-files`: the site is files, and nothing is read of what is sent there. */
export type Front = (typeof fronts)[number]

export interface Invited {
  readonly id: string
  readonly code: Uint8Array
  readonly secret: Uint8Array
}

/** The operator's side of the gateway under test. */
export interface Operator {
  readonly gatewayKey: Uint8Array
  invite(): Promise<Invited>
  /** Of an invite by which somebody has come; resolves once the sessions have ended. */
  revoke(id: string): Promise<void>
  /** What was recorded so far is late from now on; the gateway's clock, slow until then, tells the true time. */
  catchUp(): Promise<void>
  /** As if so much time had passed for the gateway, milliseconds. */
  pass(ms: number): Promise<void>
  /** The gateway's clock is set ahead by so many milliseconds, or back. */
  setClock(ms: number): Promise<void>
  /** The gateway is stopped, and started anew from its state. */
  restart(): Promise<void>
}

/** Where a timing test sends its requests: a port, and what stands before the path. */
export interface Arm {
  readonly port: number
  readonly prefix: string
}

export interface Arms {
  /** The gateway. */
  readonly gateway: Arm
  /** The same server and decoy with recognition left out, twice. */
  readonly bare: Arm
  readonly again: Arm
  /** A whole gateway with recognition left out. */
  readonly unaware: Arm
  /** As `bare`, working 250 microseconds longer on every request. */
  readonly delayed: Arm
  /** The site's own server; missing where there is none in front of the gateway. */
  readonly site: Arm | undefined
  /** Ports of the site with and without a gateway behind it, for pages that are no template's; nginx only. */
  readonly pages: readonly [number, number] | undefined
  /** A site with its gateway on connections that last, for a template's path beside another of the same site. */
  readonly neighbours: Arm | undefined
}

export interface World {
  readonly front: Front
  /** Ports of the site with Sotto and of the same site without. */
  readonly target: number
  readonly reference: number
  /** As `target`, behind a front with a flaw that a prober has to notice; missing where there is no front. */
  readonly flawed: number | undefined
  readonly operator: Operator
  readonly arms: Arms | undefined
  stop(): Promise<void>
}

export interface WorldInput {
  readonly front: Front
  /** Whether the servers of timing tests are wanted, too. */
  readonly timing: boolean
}

/** Microseconds; several times what a request takes from its mean on a quiet machine. */
export const DELAY_US = 250

/** What was recorded is sent again this much later: a first contact is not answered again then. */
const BEHIND_MS = Limits.firstContactAnswerMs + 1_000

/** Milliseconds that the gateway has to answer its operator; then it is ended, and that is told. */
const ANSWER_MS = 60_000

const here = (name: string): string => join(import.meta.dirname, name)
const site = fileURLToPath(new URL('../../gateway/decoy/sample-site', import.meta.url))

export { hasCaddy, hasNginx }

/** `owner`: what can end it also while it is being built. */
export async function openWorld(input: WorldInput, owner: SharedOwner = new SharedOwner()): Promise<World> {
  try {
    return await new Builder(owner, input).build()
  } catch (error) {
    await owner.end()
    throw error
  }
}

class Builder {
  private readonly owner: SharedOwner
  private readonly input: WorldInput
  private folder = ''
  private certificate = ''
  private key = ''

  constructor(owner: SharedOwner, input: WorldInput) {
    this.owner = owner
    this.input = input
  }

  async build(): Promise<World> {
    this.folder = await mkdtemp(join(tmpdir(), 'sotto-lab-'))
    this.owner.teardown(() => rm(this.folder, { recursive: true, force: true }))
    await this.certify()
    const { front } = this.input
    return front === 'caddy' || front === 'caddy-files'
      ? await this.buildCaddy(front === 'caddy')
      : await this.buildNginx()
  }

  private async buildNginx(): Promise<World> {
    const [target, reference] = [await freePort(), await freePort()]
    const application = join(this.folder, 'application.sock')
    const others: string[] = []
    // A gateway alone serves the sample site with its fixed answers, so that is what stands behind the nginx beside it.
    if (this.input.front === 'nginx') others.push(applicationServer(application))
    else await this.upstream('application', 'site')
    const front: FrontInput = {
      ...{ folder: this.folder, root: site, application },
      ...{ certificate: this.certificate, key: this.key },
    }
    const servers = [(this.input.front === 'nginx' ? plainServer : imitatedServer)(front, reference)]
    const { operator, socket } = await this.gateway(target)
    const flawed = socket === undefined ? undefined : await freePort()
    if (socket !== undefined) servers.push(gatewayServer(front, target, socket), flawedServer(front, flawed!, socket))
    const timing = this.input.timing ? await this.timing(servers, target, socket) : undefined
    await runNginx(this.owner, this.folder, frontText(front, servers, others))
    await Promise.all([target, ...servers.map(({ port }) => port)].map(reachable))
    const { front: kind } = this.input
    return { front: kind, target, reference, flawed, operator, arms: timing, stop: () => this.owner.end() }
  }

  private async buildCaddy(answers: boolean): Promise<World> {
    const [target, reference, flawed] = [await freePort(), await freePort(), await freePort()]
    const application = answers ? await freePort() : undefined
    if (application !== undefined) {
      await this.run('application.ts', [String(application)])
    }
    const origin = `http://127.0.0.1:${application}`
    const { operator, socket } = await this.gateway(target, answers ? `{upstream: "${origin}"}` : '{accel: "@site"}')
    const input: CaddyInput = {
      site: answers ? { kind: 'upstream', url: origin } : { kind: 'folder', folder: site },
      ...{ certificate: this.certificate, key: this.key, socket: socket! },
    }
    const texts = [snippets(input), gatewaySite(input, target), plainSite(input, reference), flawedSite(input, flawed)]
    const ports = [target, reference, flawed]
    let arms: Arms | undefined
    if (this.input.timing) {
      const port = await freePort()
      const kind = answers ? origin : '@site'
      const sockets = {
        gateway: socket!,
        unaware: await this.unaware(answers ? `{upstream: "${origin}"}` : '{accel: "@site"}'),
        bare: await this.upstream('bare', kind),
        again: await this.upstream('again', kind),
        delayed: await this.upstream('delayed', kind, DELAY_US),
      }
      texts.push(timingSite(input, port, sockets))
      ports.push(port)
      arms = armsAt(port)
    }
    await startCaddy(this.owner, this.folder, texts.join('\n'))
    await Promise.all(ports.map(reachable))
    const { front } = this.input
    return { front, target, reference, flawed, operator, arms, stop: () => this.owner.end() }
  }

  private async certify(): Promise<void> {
    const made = await makeCertificate()
    this.certificate = join(this.folder, 'certificate.pem')
    this.key = join(this.folder, 'key.pem')
    await writeFile(this.certificate, made.certificate)
    await writeFile(this.key, made.key, { mode: 0o600 })
  }

  private async run(script: string, args: readonly string[]): Promise<{ program: Program; first: unknown }> {
    const program = start(here(script), args, gatewayFlags)
    this.owner.teardown(() => program.end())
    return { program, first: await program.next() }
  }

  /** A server without recognition on a socket of its own; returns the socket. */
  private async upstream(name: string, kind: string, delay = 0): Promise<string> {
    const socket = join(this.folder, `${name}.sock`)
    await this.run('upstream.ts', [socket, kind, String(delay)])
    return socket
  }

  /** The same where nothing stands in front: over TLS, with the site's files. */
  private async facing(delay = 0): Promise<Arm> {
    const port = await freePort()
    await this.run('upstream.ts', [String(port), 'site', String(delay), this.certificate, this.key])
    return { port, prefix: '' }
  }

  /** As `gateway`, but nobody is recognised. On a socket of its own, or facing the network where there is a `port`. */
  private async unaware(decoy: string, port?: number): Promise<string> {
    const socket = join(this.folder, 'unaware.sock')
    const listen = port === undefined ? `{unix: ${socket}}` : this.tls(port)
    await this.run('gateway.ts', [join(this.folder, 'unaware'), listen, decoy, '0', 'unaware'])
    return socket
  }

  private tls(port: number): string {
    return `{https: "127.0.0.1:${port}", certificate: ${this.certificate}, key: ${this.key}}`
  }

  private async gateway(
    port: number,
    decoy = '{accel: "@decoy"}',
  ): Promise<{ operator: Operator; socket: string | undefined }> {
    const behind = this.input.front !== 'none'
    const socket = join(this.folder, 'gateway.sock')
    const { program, first } = await this.run('gateway.ts', [
      this.folder,
      behind ? `{unix: ${socket}}` : this.tls(port),
      behind ? decoy : `{folder: ${site}}`,
      String(BEHIND_MS),
    ])
    const { gatewayKey } = first as { gatewayKey: string }
    return { operator: operatorOf(program, fromHex(gatewayKey)!), socket: behind ? socket : undefined }
  }

  private async timing(servers: ServerText[], target: number, socket: string | undefined): Promise<Arms> {
    if (socket === undefined) {
      const [bare, again, delayed] = [await this.facing(), await this.facing(), await this.facing(DELAY_US)]
      const unaware = { port: await freePort(), prefix: '' }
      await this.unaware(`{folder: ${site}}`, unaware.port)
      const gateway = { port: target, prefix: '' }
      return { gateway, bare, again, unaware, delayed, site: undefined, pages: undefined, neighbours: gateway }
    }
    const port = await freePort()
    const [bare, again, delayed] = [
      await this.upstream('bare', '@decoy'),
      await this.upstream('again', '@decoy'),
      await this.upstream('delayed', '@decoy', DELAY_US),
    ]
    const unaware = await this.unaware('{accel: "@decoy"}')
    const passed = {
      ...{ gateway: passedTo(socket), unaware: passedTo(unaware) },
      ...{ bare: passedTo(bare), again: passedTo(again) },
    }
    const targets = { ...passed, delayed: passedTo(delayed), site: 'try_files $uri $uri/index.html =404;' }
    const pages = [await freePort(), await freePort()] as const
    servers.push(timingServer(site, port, targets))
    servers.push(pagesServer(site, pages[0], socket), pagesServer(site, pages[1], undefined))
    return { ...armsAt(port), pages, neighbours: { port: pages[0], prefix: '' } }
  }
}

function armsAt(port: number): Arms {
  const arm = (name: string): Arm => ({ port, prefix: `/${name}` })
  const arms = { gateway: arm('gateway'), unaware: arm('unaware'), bare: arm('bare'), again: arm('again') }
  return { ...arms, delayed: arm('delayed'), site: arm('site'), pages: undefined, neighbours: undefined }
}

function operatorOf(program: Program, gatewayKey: Uint8Array): Operator {
  const ask = async (command: object): Promise<Record<string, string>> => {
    program.tell(command)
    const late = setTimeout(() => program.child.kill('SIGKILL'), ANSWER_MS)
    try {
      return (await program.next()) as Record<string, string>
    } finally {
      clearTimeout(late)
    }
  }
  return {
    gatewayKey,
    invite: async () => {
      const { id, code, secret } = await ask({ run: 'invite' })
      return { id: id!, code: fromHex(code!)!, secret: fromHex(secret!)! }
    },
    revoke: async (id) => void (await ask({ run: 'revoke', id })),
    catchUp: async () => void (await ask({ run: 'pass', ms: BEHIND_MS })),
    pass: async (ms) => void (await ask({ run: 'pass', ms })),
    setClock: async (ms) => void (await ask({ run: 'set', ms })),
    restart: async () => void (await ask({ run: 'restart' })),
  }
}
