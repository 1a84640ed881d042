/** How sessions of one tunnel begin: with which template, after which failures, and what clock the server has. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Introduced } from '../introduction.ts'
import { introduce, NotRecognised } from '../introduction.ts'
import type { Shared, TunnelInput } from './input.ts'
import type { Tried } from './status.ts'
import { describe } from './status.ts'

/** First contacts of a template that fail, one after another, until another is tried. A refusal counts as all of them. */
const TRIES_EACH = 2
/** Milliseconds between our clock and the website's that people are told of. */
const CLOCK_MS = 300_000
/** Failed starts that are remembered for people. */
const TRIED = 8

export class Starts {
  /** What did not come through, oldest first, the last few. */
  tried: readonly Tried[] = []
  private readonly shared: Shared
  private readonly preferredAead: number
  private others: () => readonly CompiledTemplate[]
  /** What the looks had to begin with when they were last asked. */
  private known: readonly CompiledTemplate[] = []
  private readonly wear: (template: CompiledTemplate) => void
  private clockOffset: number | undefined
  /** Failed first contacts since one succeeded, in `TRIES_EACH` for every template. */
  private failures = 0
  /** Why a look that the gateway has was not answered, though its page was. */
  private reason: unknown
  /** A template of POST was refused as if for the method. */
  private postRefused = false

  constructor(shared: Shared, input: TunnelInput, wear: (template: CompiledTemplate) => void) {
    this.shared = shared
    this.preferredAead = input.preferredAead
    this.others = input.others ?? (() => [])
    this.wear = wear
  }

  /** The person or a pack has chosen: this template and those of the looks, no others. */
  choose(): void {
    this.others = () => []
    this.failures = 0
  }

  /** Another network: what failed before says nothing there. */
  moved(): void {
    this.failures = 0
    this.postRefused = false
  }

  /** Introduces the client; undefined where that failed (noted in the path). */
  async begin(signal: AbortSignal): Promise<Introduced | undefined> {
    const { permit, clockwork, looks, path, attire } = this.shared
    const { preferredAead, clockOffset } = this
    let { template } = attire
    let isVisited = false
    const visited = (offset: number): void => {
      if (Math.abs(offset) >= CLOCK_MS && offset !== this.clockOffset) path.note('E_NET_CLOCK')
      this.clockOffset = offset
      isVisited = true
    }
    try {
      template = await this.nextLook()
      const before = attire.template
      const how = { permit, template, clockwork, preferredAead, signal, clockOffset, tries: path.tries, visited }
      const introduced = await introduce(how)
      this.failures = 0
      // A look that was chosen while this was under way stays.
      if (attire.template === before) this.wear(template)
      this.passed(template)
      this.postRefused = false
      path.worked(introduced.rttMs, 0)
      looks?.took(template)
      return introduced
    } catch (error) {
      if (!signal.aborted) this.failed(template, error, isVisited)
      return undefined
    }
  }

  /** First contact has come through in this one. */
  private passed(template: CompiledTemplate): void {
    const { path, clockwork } = this.shared
    const { method } = template.shape('send')
    const now = clockwork.now()
    path.edge.passed({ family: template.family, method, up: 0, down: 0, isHeld: false, waitedMs: 0 }, now)
    if (!this.postRefused || method !== 'GET') return
    path.edge.refusedPost(now)
    path.note('E_NET_METHOD')
  }

  /** What a session begins with: the one in use, and after failures the others in turn. */
  private async nextLook(): Promise<CompiledTemplate> {
    const { looks, attire, path, clockwork } = this.shared
    const now = clockwork.now()
    const known = path.edge.order((await looks?.candidates()) ?? [attire.template], now)
    this.known = known
    const turn = Math.floor(this.failures / TRIES_EACH)
    const next = known[turn]
    if (next !== undefined && !path.edge.refuses(next, now)) return next
    // The others are compiled where they are wanted, which is seldom.
    return inTurn(this.inOrder, turn) ?? attire.template
  }

  /**
   * A gateway may take one look alone, and a bad network may hold that one up: after each of the others, which such a gateway
   * answers as a website, one that it has comes again.
   */
  private get inOrder(): readonly CompiledTemplate[] {
    const { known } = this
    const { edge } = this.shared.path
    const now = this.shared.clockwork.now()
    const others = this.others().filter((each) => !this.isKnown(each))
    const open = known.filter((each) => !edge.refuses(each, now))
    const turns = others.flatMap((each, i) => (open.length === 0 ? [each] : [each, open[i % open.length]!]))
    return edge.order([...known, ...turns], now)
  }

  private isKnown({ bindingId }: CompiledTemplate): boolean {
    return this.known.some((each) => each.bindingId === bindingId)
  }

  /** After as many failures as any template has, one of another family is next, where there is one. */
  private skipFamily(family: CompiledTemplate['family']): void {
    this.failures++
    if (this.failures % TRIES_EACH > 0) return
    const { inOrder } = this
    if (inOrder.every((each) => each.family === family)) return
    while (inTurn(inOrder, this.failures / TRIES_EACH)?.family === family) this.failures += TRIES_EACH
  }

  private failed(template: CompiledTemplate, error: unknown, isVisited: boolean): void {
    const { clockwork, path } = this.shared
    const { code } = describe(error)
    this.tried = [...this.tried, { template: template.id, code, at: clockwork.now() }].slice(-TRIED)
    const isRefusal = error instanceof NotRecognised
    if (isRefusal && error.refused) this.postRefused = true
    // Where not even the page comes through, no other template would.
    if (isRefusal || code === 'E_NET_SIZE') this.failures += TRIES_EACH - (this.failures % TRIES_EACH)
    // It may be how TLS looks rather than what it names, and that is the family's.
    else if (code === 'E_PATH_HELLO') {
      path.edge.cutAtHello(template.family)
      this.skipFamily(template.family)
    } else if (isVisited && code !== 'E_NET_PORTAL') this.failures++
    if (this.isKnown(template)) this.reason = isVisited ? error : undefined
    // A website's answer to a look that the gateway need not have says nothing about us.
    else if (isRefusal) return path.failed(this.reason ?? error)
    path.failed(error)
  }
}

const inTurn = <T>(list: readonly T[], turn: number): T | undefined => list[turn % list.length]
