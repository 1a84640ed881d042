/** Plays one scenario: two real members, one of them behind the box, talk while the box does what it does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EdgeReport } from '#client/edge.ts'
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { quantile } from '../../scripts/bench/report.ts'
import type { Ground } from './ground.ts'
import { at } from './ground.ts'
import { startHttpBox } from './http-box.ts'
import type { LabMember, MemberPlace } from './member.ts'
import { libraryMember, processMember } from './member.ts'
import type { Namespace } from './namespace.ts'
import { makeNamespace } from './namespace.ts'
import type { PacketRules } from './packet-relay.ts'
import { startPacketRelay } from './packet-relay.ts'
import { startProxy } from './reverse-proxy.ts'
import type { Act, HttpRules, Row, Scenario, TcpRules, Turn } from './scenario.ts'
import { straightPair } from './straight.ts'
import type { Place } from './tcp-box.ts'
import { TcpBox } from './tcp-box.ts'

const COUNT = 10
const EVERY_MS = 100
const WITHIN_MS = 60_000
/** For two starts of the program, and one that goes on. */
const STARTS_MS = 180_000
/** For a message that comes twice: the second one follows soon. */
const GRACE_MS = 300

/** What can be done to the box of a scenario. */
interface Changing {
  readonly namespace?: Namespace
  /** Replaces the rules of packets. */
  packets?(rules: PacketRules): void
  change(rules: TcpRules & HttpRules): void
  act(act: Act): void
}

/** The box of a scenario, and where it stands. */
interface Standing extends Changing {
  readonly address: string
  readonly pin?: Uint8Array
  close(): Promise<void>
}

export async function play(scenario: Scenario, ground: Ground): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-lab-'))
  const closing: (() => void | Promise<void>)[] = []
  try {
    if (scenario.node) {
      const began = performance.now()
      const pair = await within({ withinMs: STARTS_MS }, straightPair(scenario, ground.address(), folder, closing))
      return await converse(scenario, ground, pair, began, pair.near, pair.far, closing)
    }
    const standing = await build(scenario, ground, folder)
    closing.push(() => standing.close())
    return await talk(scenario, ground, standing, folder, closing)
  } catch (error) {
    return failed(scenario, error)
  } finally {
    for (const close of closing.reverse()) await close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

async function talk(
  scenario: Scenario,
  ground: Ground,
  standing: Standing,
  folder: string,
  closing: (() => void | Promise<void>)[],
): Promise<Row> {
  const isProcess = scenario.member === 'process' || standing.namespace !== undefined
  const open = isProcess ? processMember : libraryMember
  const far = await libraryMember({ folder, name: 'Far', link: farLink(scenario, ground) })
  closing.push(() => far.close())
  const began = performance.now()
  // Programs start as slowly as the machine is busy, which says nothing of the network.
  const patience = isProcess ? { withinMs: STARTS_MS } : scenario
  const near = await within(patience, open(placeOf(scenario, ground, standing, folder)))
  closing.push(() => near.close())
  far.add(await within(scenario, near.card()))
  near.add(await far.card())
  await near.met
  return await converse(scenario, ground, standing, began, near, far, closing)
}

async function converse(
  scenario: Scenario,
  ground: Ground,
  standing: Changing,
  began: number,
  near: LabMember,
  far: LabMember,
  closing: (() => void | Promise<void>)[],
): Promise<Row> {
  const talk = new Talk(scenario, near, far)
  const moments: Moments = {}
  const turns = (scenario.turns ?? []).map((turn) =>
    setTimeout(() => {
      const now = performance.now()
      if (turn.heals) moments.healed = now
      else moments.broken ??= now
      void take(turn, standing, near, ground)
    }, turn.afterMs),
  )
  closing.push(() => turns.forEach(clearTimeout))
  await talk.run()
  return talk.row(began, near, moments)
}

/** The other member is where the first one is, without a box. */
function farLink({ second }: Scenario, ground: Ground): string {
  if (second !== 'gateway') return ground.invite()
  return ground.invite((invite) => ({ ...invite, gateways: [at(invite, {}), at(invite, { host: '127.0.0.1' })] }))
}

function placeOf(scenario: Scenario, ground: Ground, standing: Standing, folder: string): MemberPlace {
  const { second, template, clockShiftMs, quicker, resolves, unpinned } = scenario
  const link = ground.invite((invite) => {
    const way = at(invite, {
      addresses: unpinned ? [] : [standing.address],
      ...(standing.pin === undefined ? {} : { pin: standing.pin }),
    })
    const gateways =
      second === 'gateway'
        ? [way, at(invite, { host: '127.0.0.1' })]
        : [second === 'address' ? { ...way, addresses: [standing.address, '127.0.0.1'] } : way]
    return { ...invite, gateways, template: template ?? 'support-chat' }
  })
  const templates = quicker === undefined ? undefined : compileBuiltins().map((each) => hurried(each, quicker))
  return { folder, name: 'Near', link, clockShiftMs, resolves, templates, namespace: standing.namespace?.name }
}

/** The template with shorter holds. */
function hurried(template: CompiledTemplate, quicker: number): CompiledTemplate {
  const { rhythm } = template
  const holdMs = [rhythm.holdMs[0] / quicker, rhythm.holdMs[1] / quicker] as const
  return { ...template, rhythm: { ...rhythm, holdMs } }
}

async function take(turn: Turn, standing: Changing, near: LabMember, ground: Ground): Promise<void> {
  if (turn.rules !== undefined) standing.change(turn.rules)
  if (turn.nft !== undefined) standing.namespace?.rules(turn.nft)
  if (turn.packets !== undefined) standing.packets?.(turn.packets)
  if (turn.act === 'restart') {
    await ground.gateway.stop('SIGKILL')
    await ground.gateway.start()
  } else if (turn.act === 'sleep' || turn.act === 'wake') near.sleep(turn.act === 'sleep')
  else if (turn.act !== undefined) standing.act(turn.act)
}

/** When the path was first disturbed, and when it was last left in peace, on the clock of `performance.now`. */
interface Moments {
  broken?: number
  healed?: number
}

const dialers = { node: 'undici', chromium: 'chromium', firefox: 'firefox' } as const

/** The dialer that goes with a built-in template. */
function dialerOf(template: string): string {
  const family = compileBuiltins().find(({ id }) => id === template)?.family
  return family === undefined ? '' : dialers[family]
}

function between(from: number | undefined, to: number | undefined): number | null {
  return from === undefined || to === undefined ? null : Math.round(to - from)
}

/** What was sent, what has come, and when. */
class Talk {
  private readonly scenario: Scenario
  private readonly near: LabMember
  private readonly far: LabMember
  private readonly sent = new Map<string, number>()
  private readonly came = new Map<string, number>()
  private duplicates = 0
  private wasStraight = false
  private first: number | undefined
  private complete: () => void = () => {}

  constructor(scenario: Scenario, near: LabMember, far: LabMember) {
    this.scenario = scenario
    this.near = near
    this.far = far
    near.onText = (text) => this.arrived(text)
    far.onText = (text) => this.arrived(text)
  }

  async run(): Promise<void> {
    const { count = COUNT, everyMs = EVERY_MS, withinMs = WITHIN_MS } = this.scenario
    const { promise, resolve } = Promise.withResolvers<void>()
    this.complete = resolve
    for (let i = 0; i < count; i++) {
      this.send(this.near, `near ${i}`)
      this.send(this.far, `far ${i}`)
      await pause(everyMs)
      this.wasStraight ||= this.near.isStraight?.() === true
    }
    if (this.came.size < 2 * count) await Promise.race([promise, deadline(withinMs)])
    await pause(GRACE_MS)
  }

  row(began: number, { journey, edge }: LabMember, { broken, healed }: Moments): Row {
    const { name, endsWith, names = [], learns = {}, count = COUNT, isStraight } = this.scenario
    const times = [...this.came].map(([text, when]) => when - this.sent.get(text)!)
    const lost = 2 * count - this.came.size
    const known: Partial<EdgeReport> = edge?.() ?? {}
    const unlearned = (Object.keys(learns) as (keyof EdgeReport)[]).filter((key) => known[key] !== learns[key])
    const faults = [
      ...(lost > 0 ? ['lost'] : []),
      ...(this.duplicates > 0 ? ['doubled'] : []),
      ...(endsWith !== undefined && journey.template !== endsWith ? [`ends with ${journey.template}`] : []),
      ...names.filter((code) => !journey.named.has(code)).map((code) => `never said ${code}`),
      ...(isStraight && !this.wasStraight ? ['never straight'] : []),
      ...unlearned.map((key) => `of the edge, ${key} is ${known[key]}`),
    ]
    const noticed = broken === undefined ? undefined : journey.lostAfter(broken)
    const from = noticed === undefined ? undefined : Math.max(noticed, healed ?? noticed)
    const back = from === undefined ? undefined : journey.backAfter(from)
    return {
      name,
      messages: 2 * count,
      lost,
      duplicates: this.duplicates,
      p50_ms: Math.round(quantile(times, 0.5)),
      p99_ms: Math.round(quantile(times, 0.99)),
      reconnects: journey.reconnects,
      noticed_ms: between(broken, noticed),
      recovered_ms: between(from, back),
      dialer: dialerOf(journey.template),
      template: journey.template,
      first_ms: Math.round((this.first ?? Number.NaN) - began),
      named: [...journey.named],
      faults,
    }
  }

  private send(from: LabMember, mark: string): void {
    const text = `${mark} `.padEnd(this.scenario.letters ?? 40, '.')
    this.sent.set(mark, performance.now())
    from.send(text)
  }

  private arrived(text: string): void {
    const mark = text.replace(/ \.*$/, '')
    if (!this.sent.has(mark)) return
    this.first ??= performance.now()
    if (this.came.has(mark)) this.duplicates++
    else this.came.set(mark, performance.now())
    if (this.came.size === this.sent.size && this.sent.size === 2 * (this.scenario.count ?? COUNT)) this.complete()
  }
}

async function build(scenario: Scenario, ground: Ground, folder: string): Promise<Standing> {
  const { box } = scenario
  const origin: Place = { host: '127.0.0.1', port: ground.gateway.port }
  const place: Place = { host: ground.address(), port: ground.gateway.port }
  if (box.kind === 'tcp') return await tcp(place, origin, box)
  if ('directives' in box) {
    const proxy = await startProxy(box.kind, { folder, place, origin, directives: box.directives })
    return { address: place.host, pin: proxy.pin, change: () => {}, act: () => {}, close: proxy.close }
  }
  if (box.kind === 'packets') return await packets(place.port, origin, box)
  if (box.kind === 'namespace') {
    const namespace = makeNamespace(box.nft, box.rate)
    const relay = await tcp({ host: namespace.address, port: place.port }, origin, {})
    const close = async (): Promise<void> => {
      await relay.close()
      namespace.close()
    }
    return { ...relay, namespace, close }
  }
  const http = await startHttpBox(place, origin, box)
  if (box.tcp === undefined)
    return {
      address: place.host,
      pin: http.pin,
      change: (rules) => {
        http.rules = rules
      },
      act: () => {},
      close: http.close,
    }
  const before = await tcp({ host: ground.address(), port: place.port }, place, box.tcp)
  const close = async (): Promise<void> => {
    await before.close()
    await http.close()
  }
  return { ...before, pin: http.pin, close }
}

/** The member behind a wire of our own. */
async function packets(port: number, origin: Place, rules: PacketRules): Promise<Standing> {
  const namespace = makeNamespace([], undefined)
  try {
    const outside = { here: namespace.address, there: namespace.inside }
    const relay = await startPacketRelay(namespace.name, outside, namespace.number, rules)
    const box = await tcp({ host: relay.address, port }, origin, {})
    const change = (next: PacketRules): void => {
      relay.rules = next
    }
    const close = async (): Promise<void> => {
      await box.close()
      await relay.close()
      namespace.close()
    }
    return { ...box, namespace, packets: change, close }
  } catch (error) {
    namespace.close()
    throw error
  }
}

async function tcp(place: Place, origin: Place, rules: TcpRules): Promise<Standing> {
  const box = new TcpBox(origin, rules)
  await box.listen(place)
  return {
    address: place.host,
    change: (next) => {
      box.rules = next
    },
    act: (act) => {
      if (act === 'cut') box.cut()
      else if (act === 'freeze') box.freeze()
      else box.rebind('127.66.0.1')
    },
    close: () => box.close(),
  }
}

function within<T>({ withinMs = WITHIN_MS }: Pick<Scenario, 'withinMs'>, work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    deadline(withinMs).then(() => {
      throw new Error(`nothing within ${withinMs} ms`)
    }),
  ])
}

/** As `pause`, for what mostly is not waited for: keeps no process running. */
const deadline = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function failed({ name, count = COUNT }: Scenario, error: unknown): Row {
  const what = error instanceof Error ? error.message : String(error)
  const nothing = {
    p50_ms: Number.NaN,
    p99_ms: Number.NaN,
    first_ms: Number.NaN,
    reconnects: 0,
    noticed_ms: null,
    recovered_ms: null,
  }
  const unknown = { dialer: '', template: '', named: [], faults: [what] }
  return { name, messages: 2 * count, lost: 2 * count, duplicates: 0, ...nothing, ...unknown }
}
