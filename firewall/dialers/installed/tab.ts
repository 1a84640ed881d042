/** One tab of the browser: it shows the decoy's own page, as a visitor's would, and makes exchanges there. */
import { X509Certificate } from 'node:crypto'
import { constantTimeEqual } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { BrowserLimits } from '../../limits.ts'
import { authority } from '../../policy.ts'
import type { DialTarget } from '../dialer.ts'
import { pathError } from '../path-error.ts'
import type { Cdp, CdpEvent } from './cdp.ts'
import type { Gate } from './gate.ts'
import { netError } from './net-error.ts'
import type { Begun, PageFunctions, PageRequest, Piece } from './page-script.ts'
import { pageScript } from './page-script.ts'

export interface TabInput {
  readonly cdp: Cdp
  readonly gate: Gate
  readonly target: DialTarget
  /** What the pinned certificate looks like in the browser; undefined where none is pinned. */
  readonly pinned: PinnedKey | undefined
}

/** A certificate that was compared with the pinned one. */
export interface PinnedKey {
  /** SHA-256 of its public key (SubjectPublicKeyInfo), base64: what the browser is told to accept. */
  readonly key: string
  /** Its names and times, as the browser shows them: so another one that an authority vouches for is noticed. */
  readonly details: string
}

interface SecurityDetails {
  readonly subjectName: string
  readonly sanList: readonly string[]
  readonly issuer: string
  readonly validFrom: number
  readonly validTo: number
}

interface Sent {
  readonly url: string
  failure?: string
  status?: number
  headers?: Record<string, string>
}

/** A session of the protocol with one tab, and what was heard of its requests. */
class Session {
  private readonly sent = new Map<string, Sent>()
  /** Of the latest answer. */
  details: string | undefined
  onLoad: () => void = () => {}
  onDetails: (details: string) => void = () => {}
  /** Called after every event. */
  private readonly onEvent = new Set<() => void>()
  private readonly input: TabInput
  private readonly id: string
  private readonly tab: string
  private readonly hear: (event: CdpEvent) => void

  private constructor(input: TabInput, id: string, tab: string) {
    this.input = input
    this.id = id
    this.tab = tab
    this.hear = (event) => {
      if (event.session === id) this.heard(event)
    }
    input.cdp.listeners.add(this.hear)
  }

  static async open(input: TabInput): Promise<Session> {
    const { cdp } = input
    const { targetId } = await cdp.call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
    const attach = { targetId, flatten: true }
    const { sessionId } = await cdp.call<{ sessionId: string }>('Target.attachToTarget', attach)
    const session = new Session(input, sessionId, targetId)
    const buffers = { maxTotalBufferSize: 65_536, maxResourceBufferSize: 65_536 }
    await Promise.all([session.call('Page.enable'), session.call('Network.enable', buffers)])
    // Pauses every request until it is told to go on: only while the gate's secret may be asked for.
    await session.call('Fetch.enable', { handleAuthRequests: true })
    return session
  }

  call<T = Record<string, never>>(method: string, params: object = {}): Promise<T> {
    return this.input.cdp.call<T>(method, params, this.id)
  }

  /** Shows the page. @throws SottoError E_PATH_*, E_NET_PORTAL */
  async visit(url: string): Promise<void> {
    const { gate, target } = this.input
    const loaded = new Promise<void>((resolve) => {
      this.onLoad = resolve
    })
    const { errorText } = await this.call<{ errorText?: string }>('Page.navigate', { url })
    if (errorText !== undefined) throw gate.failure ?? netError(errorText, target.name)
    await loaded
    const { frameTree } = await this.call<{ frameTree: { frame: { url: string } } }>('Page.getFrameTree')
    if (URL.parse(frameTree.frame.url)?.origin !== new URL(url).origin) {
      throw new SottoError('E_NET_PORTAL', 'this network leads the website’s visitors elsewhere')
    }
  }

  close(): void {
    this.input.cdp.listeners.delete(this.hear)
    this.input.cdp.call('Target.closeTarget', { targetId: this.tab }).catch(() => {})
  }

  /** Of what was asked of this address last. */
  latest(url: string): Sent | undefined {
    return [...this.sent.values()].findLast((sent) => sent.url === url)
  }

  /** Why the latest request to this address failed: the page may hear that it did before we hear why. */
  async failureOf(url: string): Promise<string | undefined> {
    const told = Promise.withResolvers<void>()
    const look = (): void => {
      if (this.latest(url)?.failure !== undefined) told.resolve()
    }
    this.onEvent.add(look)
    const late = setTimeout(told.resolve, BrowserLimits.reasonMs)
    look()
    await told.promise
    clearTimeout(late)
    this.onEvent.delete(look)
    return this.latest(url)?.failure
  }

  private heard(event: CdpEvent): void {
    this.take(event)
    for (const look of this.onEvent) look()
  }

  private take({ method, params }: CdpEvent): void {
    const { requestId } = params as { requestId: string }
    const sent = this.sent.get(requestId)
    if (method === 'Fetch.requestPaused') this.tell('Fetch.continueRequest', { requestId })
    else if (method === 'Fetch.authRequired') this.authorize(requestId, params)
    else if (method === 'Page.loadEventFired') this.onLoad()
    else if (method === 'Network.requestWillBeSent') this.remember(requestId, params)
    else if (method === 'Network.responseReceived') this.answered(params)
    else if (method === 'Network.responseReceivedExtraInfo' && sent !== undefined) {
      const { statusCode, headers } = params as unknown as { statusCode: number; headers: Record<string, string> }
      Object.assign(sent, { status: statusCode, headers })
    } else if (method === 'Network.loadingFailed' && sent !== undefined) {
      sent.failure = (params as { errorText: string }).errorText
    }
  }

  private authorize(requestId: string, params: object): void {
    const { authChallenge } = params as { authChallenge: { source: string; origin: string } }
    const { port, credentials } = this.input.gate
    const isGate = authChallenge.source === 'Proxy' && authChallenge.origin === `http://127.0.0.1:${port}`
    const answer = isGate ? { response: 'ProvideCredentials', ...credentials } : { response: 'CancelAuth' }
    this.tell('Fetch.continueWithAuth', { requestId, authChallengeResponse: answer })
  }

  private remember(requestId: string, params: object): void {
    const { request } = params as { request: { url: string } }
    // A redirect keeps the number, and says where it would lead: the page did not ask for that.
    if (this.sent.has(requestId)) return
    this.sent.set(requestId, { url: request.url })
    const [oldest] = this.sent.keys()
    if (this.sent.size > BrowserLimits.requests && oldest !== undefined) this.sent.delete(oldest)
  }

  private answered(params: object): void {
    const { response } = params as { response: { url: string; securityDetails?: SecurityDetails } }
    if (response.securityDetails === undefined || !response.url.startsWith(`${originOf(this.input.target)}/`)) return
    const { subjectName, sanList, issuer, validFrom, validTo } = response.securityDetails
    this.details = JSON.stringify([subjectName, sanList, issuer, validFrom, validTo])
    this.onDetails(this.details)
  }

  private tell(method: string, params: object): void {
    this.call(method, params).catch(() => {})
  }
}

const originOf = (target: DialTarget): string => `https://${authority(target)}`

export class Tab {
  /** Somebody on the way has shown a certificate that is not the pinned one. */
  onForeign: () => void = () => {}
  private readonly session: Session
  private readonly input: TabInput
  private functions = ''

  private constructor(session: Session, input: TabInput) {
    this.session = session
    this.input = input
  }

  /** Visits the gateway's site. @throws SottoError E_PATH_*, E_NET_PORTAL; plain errors where the browser is gone */
  static async open(input: TabInput): Promise<Tab> {
    const session = await Session.open(input)
    const tab = new Tab(session, input)
    let isForeign = false
    session.onDetails = (details) => {
      if (input.pinned === undefined || details === input.pinned.details) return
      isForeign = true
      tab.onForeign()
    }
    try {
      await session.visit(`${originOf(input.target)}/`)
      if (isForeign) throw pathError('E_PATH_TLS', input.target.name)
      await session.call('Fetch.disable')
      tab.functions = await install(session)
      return tab
    } catch (error) {
      session.close()
      throw error
    }
  }

  /** @throws SottoError E_PATH_*; plain errors where tab or browser are gone */
  async begin(id: number, request: PageRequest): Promise<Begun> {
    const { url } = request
    // What one exchange was answered is no answer to the next.
    if (request.method === 'GET') await this.session.call('Network.clearBrowserCache')
    const begun = await this.run<Begun>('begin', url, id, request)
    if (begun.type !== 'opaqueredirect') return begun
    const { status = 302, headers = {} } = this.session.latest(url) ?? {}
    return { ...begun, status, headers: Object.entries(headers) }
  }

  read(id: number): Promise<Piece> {
    return this.run<Piece>('read', undefined, id)
  }

  abort(id: number): void {
    this.run('abort', undefined, id).catch(() => {})
  }

  close(): void {
    this.session.close()
  }

  private async run<T>(name: keyof PageFunctions, url: string | undefined, ...args: unknown[]): Promise<T> {
    interface Outcome {
      readonly result: { readonly value: T }
      readonly exceptionDetails?: object
    }
    const { result, exceptionDetails } = await this.session.call<Outcome>('Runtime.callFunctionOn', {
      objectId: this.functions,
      functionDeclaration: `function (...args) { return this.${name}(...args) }`,
      arguments: args.map((value) => ({ value })),
      ...{ awaitPromise: true, returnByValue: true },
    })
    if (exceptionDetails === undefined) return result.value
    // The page hears no more than that it failed; the browser tells us why.
    const failure = url === undefined ? undefined : await this.session.failureOf(url)
    throw this.input.gate.failure ?? netError(failure ?? '', this.input.target.name)
  }
}

/** In a world of its own: the page's scripts see nothing of it, and cannot change `fetch` for it. */
async function install(session: Session): Promise<string> {
  const { frameTree } = await session.call<{ frameTree: { frame: { id: string } } }>('Page.getFrameTree')
  const world = { frameId: frameTree.frame.id, worldName: '' }
  const { executionContextId } = await session.call<{ executionContextId: number }>('Page.createIsolatedWorld', world)
  const evaluate = { expression: pageScript, contextId: executionContextId }
  const { result } = await session.call<{ result: { objectId: string } }>('Runtime.evaluate', evaluate)
  return result.objectId
}

/**
 * Which key the browser is to accept: it visits the site once, takes any certificate, and shows it. Nothing but the page
 * that any visitor asks for is sent, before the certificate is compared.
 * @throws SottoError E_PATH_TLS where it is not the pinned one, E_PATH_*, E_NET_PORTAL
 */
export async function learnKey(input: TabInput, pin: Uint8Array): Promise<PinnedKey> {
  const session = await Session.open(input)
  try {
    await session.call('Security.setIgnoreCertificateErrors', { ignore: true })
    const origin = originOf(input.target)
    await session.visit(`${origin}/`)
    const { tableNames } = await session.call<{ tableNames: string[] }>('Network.getCertificate', { origin })
    const shown = Buffer.from(tableNames[0] ?? '', 'base64')
    if (!constantTimeEqual(sha256(new Uint8Array(shown)), pin) || session.details === undefined) {
      throw pathError('E_PATH_TLS', input.target.name)
    }
    const key = new X509Certificate(shown).publicKey.export({ type: 'spki', format: 'der' })
    return { key: Buffer.from(sha256(new Uint8Array(key))).toString('base64'), details: session.details }
  } finally {
    session.close()
  }
}
