/** Plays one scenario: two real members, one of them behind the box, talk while the box does what it does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
import { startProxy } from './reverse-proxy.ts'
import type { Act, HttpRules, Row, Scenario, TcpRules, Turn } from './scenario.ts'
import type { Place } from './tcp-box.ts'
import { TcpBox } from './tcp-box.ts'

const COUNT = 10
const EVERY_MS = 100
const WITHIN_MS = 60_000
/** For a message that comes twice: the second one follows soon. */
const GRACE_MS = 300

/** The box of a scenario, where it stands, and what can be done to it. */
interface Standing {
  readonly address: string
  readonly pin?: Uint8Array
  readonly namespace?: Namespace
  change(rules: TcpRules & HttpRules): void
  act(act: Act): void
  close(): Promise<void>
}

export async function play(scenario: Scenario, ground: Ground): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-lab-'))
  const closing: (() => void | Promise<void>)[] = []
  try {
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
  const open = scenario.member === 'process' || standing.namespace !== undefined ? processMember : libraryMember
  const far = await libraryMember({ folder, name: 'Far', link: farLink(scenario, ground) })
  closing.push(() => far.close())
  const began = performance.now()
  const near = await within(scenario, open(placeOf(scenario, ground, standing, folder)))
  closing.push(() => near.close())
  far.add(await within(scenario, near.card()))
  near.add(await far.card())
  await near.met
  const talk = new Talk(scenario, near, far)
  const turns = (scenario.turns ?? []).map((turn) =>
    setTimeout(() => void take(turn, standing, near, ground), turn.afterMs),
  )
  closing.push(() => turns.forEach(clearTimeout))
  await talk.run()
  return talk.row(began, near)
}

/** The other member is where the first one is, without a box. */
function farLink({ second }: Scenario, ground: Ground): string {
  if (second !== 'gateway') return ground.invite()
  return ground.invite((invite) => ({ ...invite, gateways: [at(invite, {}), at(invite, { host: '127.0.0.1' })] }))
}

function placeOf(scenario: Scenario, ground: Ground, standing: Standing, folder: string): MemberPlace {
  const { second, template, clockShiftMs, quicker } = scenario
  const link = ground.invite((invite) => {
    const way = at(invite, {
      addresses: [standing.address],
      ...(standing.pin === undefined ? {} : { pin: standing.pin }),
    })
    const gateways =
      second === 'gateway'
        ? [way, at(invite, { host: '127.0.0.1' })]
        : [second === 'address' ? { ...way, addresses: [standing.address, '127.0.0.1'] } : way]
    return { ...invite, gateways, template: template ?? 'support-chat' }
  })
  const templates = quicker === undefined ? undefined : compileBuiltins().map((each) => hurried(each, quicker))
  return { folder, name: 'Near', link, clockShiftMs, templates, namespace: standing.namespace?.name }
}

/** The template with shorter holds. */
function hurried(template: CompiledTemplate, quicker: number): CompiledTemplate {
  const { rhythm } = template
  const holdMs = [rhythm.holdMs[0] / quicker, rhythm.holdMs[1] / quicker] as const
  return { ...template, rhythm: { ...rhythm, holdMs } }
}

async function take(turn: Turn, standing: Standing, near: LabMember, ground: Ground): Promise<void> {
  if (turn.rules !== undefined) standing.change(turn.rules)
  if (turn.nft !== undefined) standing.namespace?.rules(turn.nft)
  if (turn.act === 'restart') {
    await ground.gateway.stop('SIGKILL')
    await ground.gateway.start()
  } else if (turn.act === 'sleep' || turn.act === 'wake') near.sleep(turn.act === 'sleep')
  else if (turn.act !== undefined) standing.act(turn.act)
}

/** What was sent, what has come, and when. */
class Talk {
  private readonly scenario: Scenario
  private readonly near: LabMember
  private readonly far: LabMember
  private readonly sent = new Map<string, number>()
  private readonly came = new Map<string, number>()
  private duplicates = 0
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
    }
    if (this.came.size < 2 * count) await Promise.race([promise, deadline(withinMs)])
    await pause(GRACE_MS)
  }

  row(began: number, near: LabMember): Row {
    const { name, endsWith, names = [], count = COUNT } = this.scenario
    const times = [...this.came].map(([text, when]) => when - this.sent.get(text)!)
    const lost = 2 * count - this.came.size
    const faults = [
      ...(lost > 0 ? ['lost'] : []),
      ...(this.duplicates > 0 ? ['doubled'] : []),
      ...(endsWith !== undefined && near.template !== endsWith ? [`ends with ${near.template}`] : []),
      ...names.filter((code) => !near.named.has(code)).map((code) => `never said ${code}`),
    ]
    return {
      name,
      messages: 2 * count,
      lost,
      duplicates: this.duplicates,
      p50_ms: Math.round(quantile(times, 0.5)),
      p99_ms: Math.round(quantile(times, 0.99)),
      reconnects: near.reconnects,
      dialer: 'undici',
      template: near.template,
      first_ms: Math.round((this.first ?? Number.NaN) - began),
      named: [...near.named],
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
  if (box.kind === 'nginx' || box.kind === 'haproxy') {
    const proxy = await startProxy(box.kind, { folder, place, origin, directives: box.directives })
    return { address: place.host, pin: proxy.pin, change: () => {}, act: () => {}, close: proxy.close }
  }
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

function within<T>({ withinMs = WITHIN_MS }: Scenario, work: Promise<T>): Promise<T> {
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
  const nothing = { p50_ms: Number.NaN, p99_ms: Number.NaN, first_ms: Number.NaN, reconnects: 0 }
  const unknown = { dialer: 'undici', template: '', named: [], faults: [what] }
  return { name, messages: 2 * count, lost: 2 * count, duplicates: 0, ...nothing, ...unknown }
}
