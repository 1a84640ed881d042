/**
 * Nodes, kept as the chat has them: what contacts offer goes to the firewall, what it lets in gets a way there, and our own
 * node hears who may come. Whatever cannot be done now is done the next time something changes or connects, or a
 * minute later.
 */
import { PolicyLimits } from '#firewall/limits.ts'
import type { Broker, EndpointInfo, OfferedPeer } from '#firewall/permit.ts'
import { hex, latin1, type Millis } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import type { Chat } from './chat/chat.ts'
import type { ChatEvent, ContactView } from './chat/events.ts'
import type { NodeView } from './chat/nodes.ts'
import type { Clockwork } from './clockwork.ts'
import type { PeerLine, PeerState } from './peer-way.ts'
import { PeerWay } from './peer-way.ts'
import { gatewayName, type Mailboxes } from './services/mailbox.ts'
import type { Tunnel } from './tunnel.ts'

export interface PeerParts {
  readonly chat: Chat
  readonly broker: Broker
  readonly mailboxes: Mailboxes
  readonly clockwork: Clockwork
  /** Our own node, if there is one. */
  readonly node: Pick<Tunnel, 'call' | 'status' | 'onChange' | 'session'> | undefined
  readonly open: (endpoint: EndpointInfo) => Promise<PeerLine>
}

/** What of nodes there is between a contact and us, and how it stands. */
export interface PeerView extends NodeView {
  /** The way to theirs; undefined where the person has not let it in. */
  readonly way?: PeerState
}

const isNews: ReadonlySet<ChatEvent['type']> = new Set(['node', 'keys', 'removed'])

/** Milliseconds for what our own node is asked; it is asked again when it is next reached. */
const NODE_MS = 20_000

/** Milliseconds until what could not be done is tried again, should nothing happen before. */
const RETRY_MS = 60_000

const PLACE_LENGTH = 16

interface Way {
  readonly endpoint: EndpointInfo
  readonly way: PeerWay
}

export class Peers {
  private readonly parts: PeerParts
  /** By endpoint. */
  private ways: ReadonlyMap<string, Way> = new Map()
  /** What the firewall, and the node, were told last. */
  private offered = ''
  private kept = ''
  /** Contacts who were not accepted when they were last heard of. */
  private readonly outside = new Set<string>()
  private working: Promise<void> | undefined
  private again = false
  private closed = false
  private cancelRetry = (): void => {}
  private cancelAgain = (): void => {}
  private readonly unlisten: () => void

  constructor(parts: PeerParts) {
    this.parts = parts
    let wasReady = false
    parts.node?.onChange(({ state }) => {
      const isReady = state.kind === 'ready'
      if (isReady && !wasReady) this.connected()
      wasReady = isReady
    })
    this.unlisten = parts.chat.onEvent((event) => {
      if (event.type === 'contact' ? this.isTurn(event.contact) : isNews.has(event.type)) void this.attend()
    })
  }

  get hasNode(): boolean {
    return this.parts.node !== undefined
  }

  /** Resolves once our own node has been reached; at once where there is none. @throws SottoError E_TUNNEL_TIMEOUT */
  async reached(timeoutMs: number): Promise<void> {
    await this.parts.node?.session(timeoutMs)
  }

  views(): PeerView[] {
    const byRoot = new Map([...this.ways.values()].map(({ endpoint, way }) => [hex(endpoint.peer!.root), way]))
    return this.parts.chat.nodes().map((view) => {
      const way = view.theirs && byRoot.get(hex(view.theirs.root))
      return { ...view, ...(way === undefined ? {} : { way: way.state }) }
    })
  }

  /** Does what has become necessary; resolves when it is done, as far as it could be. */
  attend(): Promise<void> {
    this.again = true
    this.working ??= this.work().finally(() => {
      this.working = undefined
    })
    return this.working
  }

  async close(): Promise<void> {
    this.closed = true
    this.unlisten()
    await this.working
    this.cancelRetry()
    this.cancelAgain()
    await Promise.all([...this.ways.values()].map(({ way }) => way.close()))
  }

  /** Whether somebody was accepted, or is so no more: of the much that happens to contacts, what matters here. */
  private isTurn({ id, status }: ContactView): boolean {
    const isAccepted = status === 'accepted'
    if (!isAccepted) this.outside.add(id)
    return !isAccepted || this.outside.delete(id)
  }

  /** It may have moved, or forgotten. */
  private connected(): void {
    this.kept = ''
    void this.attend()
  }

  private async work(): Promise<void> {
    while (this.again && !this.closed) {
      this.again = false
      await this.offerTheirs().catch((error: unknown) => this.retryLater(error))
      await this.keepOurs().catch((error: unknown) => this.retryLater(error))
    }
  }

  private retryLater(error: unknown): void {
    if (!isSottoError(error) && !(error instanceof ServiceFailure)) throw error
    this.cancelRetry()
    this.cancelRetry = this.parts.clockwork.after(RETRY_MS, () => void this.attend())
  }

  /** Some were told too often to be told now. */
  private keepAgain(at: Millis): void {
    const { clockwork } = this.parts
    this.cancelAgain()
    this.cancelAgain = clockwork.after(Math.max(0, at - clockwork.now()), () => this.connected())
  }

  private async offerTheirs(): Promise<void> {
    const offers = await this.chosen(this.parts.chat.nodes().flatMap(offerOf))
    const said = `${offers.map(({ name, offer }) => `${name} ${hex(offer)}`).join()},`
    if (said === this.offered) return
    const endpoints = await this.parts.broker.offerPeers(offers)
    this.offered = said
    const before = this.ways
    this.ways = new Map(endpoints.map((endpoint) => [endpoint.id, before.get(endpoint.id) ?? this.wayTo(endpoint)]))
    this.parts.mailboxes.setPeers(
      new Map([...this.ways.values()].map(({ endpoint, way }) => [latin1(gatewayName(endpoint)), way])),
    )
    for (const [id, { way }] of before) if (!this.ways.has(id)) await way.close()
  }

  /** As many as the firewall takes: those that the person has let in first, so that nobody who offers pushes them out. */
  private async chosen(offers: readonly Offering[]): Promise<readonly OfferedPeer[]> {
    const endpoints = offers.length > PolicyLimits.peers ? await this.parts.broker.endpoints() : []
    const isIn = new Set(endpoints.flatMap(({ peer }) => (peer === undefined ? [] : [hex(peer.root)])))
    const first = offers.toSorted((a, b) => Number(isIn.has(b.root)) - Number(isIn.has(a.root)))
    return first.slice(0, PolicyLimits.peers).map(({ name, offer }) => ({ name, offer }))
  }

  private wayTo(endpoint: EndpointInfo): Way {
    return { endpoint, way: new PeerWay(this.parts.clockwork, () => this.parts.open(endpoint)) }
  }

  private async keepOurs(): Promise<void> {
    const { chat, node, clockwork } = this.parts
    if (node?.status.state.kind !== 'ready') return
    const friends = chat.nodeFriends()
    const said = friends.map(({ friend, place }) => `${hex(friend)} ${hex(place)}`).join()
    if (`${said},` === this.kept) return
    const ids = friends.map(({ friend }) => friend)
    const place = placeIn(await node.call('node.keep', { friends: ids }, { timeoutMs: NODE_MS }))
    const gateway = gatewayName(node.status.endpoint)
    const later: number[] = []
    for (const { contact, friend, place: told, from } of friends) {
      if (hex(told) === hex(place)) continue
      if (from > clockwork.now()) {
        later.push(from)
        continue
      }
      const answer = await node.call('node.invite', { friend }, { timeoutMs: NODE_MS })
      const { link } = (answer ?? {}) as { readonly link?: unknown }
      if (typeof link === 'string') chat.tellNode(contact, { gateway, place, link })
    }
    const now = chat.nodeFriends().map(({ friend, place: at }) => `${hex(friend)} ${hex(at)}`)
    this.kept = `${now.join()},`
    if (later.length > 0) this.keepAgain(Math.min(...later))
  }
}

interface Offering extends OfferedPeer {
  /** Hexadecimal: the key that signs for it. */
  readonly root: string
}

/** People read the name on a terminal, and the firewall takes no other. */
function offerOf({ contact, theirs }: NodeView): Offering[] {
  if (theirs === undefined) return []
  const name = contact.name.replace(/\p{C}/gu, '')
  return [{ name: name === '' ? contact.id.slice(0, 8) : name, offer: theirs.offer, root: hex(theirs.root) }]
}

/** It is kept for each friend. */
function placeIn(answer: unknown): Uint8Array {
  const value = (answer as { readonly place?: unknown } | null)?.place
  if (value instanceof Uint8Array && value.length === PLACE_LENGTH) return value
  throw new SottoError('E_INTERNAL', 'the node answered something this version does not know')
}
