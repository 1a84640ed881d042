/**
 * Nodes: what we tell contacts of ours, and what they have told of theirs. Off until both want it: we offer a contact our
 * node, and the contact lets its firewall connect there.
 */
import { empty, fastEqual, hex, type Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { parsePeerOffer, sealPeerOffer } from '#protocol/peer-offer.ts'
import { contactView } from './contacts.ts'
import type { Engine } from './engine.ts'
import type { ContactId, ContactView } from './events.ts'
import { ChatLimits } from './limits.ts'
import type { Contact, OwnNode } from './model.ts'

/** A contact to whom our node is offered. */
export interface NodeFriend {
  readonly contact: ContactId
  /** What the node knows them by. */
  readonly friend: Uint8Array
  /** Mark of the place that they were told of; empty for none, and where what they were told counts no more. */
  readonly place: Uint8Array
  /** From when on they may be told of another place; now or before: at once. */
  readonly from: Millis
}

/** Where the node is, and leave for one friend. */
export interface NodeInvite {
  /** As addresses name it. */
  readonly gateway: Uint8Array
  readonly place: Uint8Array
  readonly link: string
}

/** What of nodes there is between a contact and us. */
export interface NodeView {
  readonly contact: ContactView
  /** We offer ours: not told yet, or told. */
  readonly ours: 'no' | 'waits' | 'told'
  /** Where theirs is, if they offer one. */
  readonly theirs?: { readonly host: string; readonly root: Uint8Array; readonly offer: Uint8Array }
}

const FRIEND_LENGTH = 16

export class Nodes {
  private readonly engine: Engine

  constructor(engine: Engine) {
    this.engine = engine
  }

  views(): NodeView[] {
    return this.accepted().map((contact) => {
      const ours = contact.node === undefined ? 'no' : contact.node.told.length === 0 ? 'waits' : 'told'
      return { contact: contactView(contact), ours, ...theirsOf(contact) }
    })
  }

  /** From now on we offer them our node; they are told once it has given leave. @throws SottoError E_CHAT_BLOCKED, E_DISK_FULL */
  offer(contact: Contact): ContactView {
    const { random, records } = this.engine
    if (contact.status !== 'accepted')
      throw new SottoError('E_CHAT_BLOCKED', 'Only who is accepted may come to your node.')
    if (contact.node !== undefined) return contactView(contact)
    if (this.friends().length >= ChatLimits.nodeFriends)
      throw new SottoError('E_USAGE', `Your node is offered to ${ChatLimits.nodeFriends} contacts, and takes no more.`)
    const none = { place: empty, gateway: empty, offer: empty, version: 0, told: empty }
    const next = { ...contact, node: { friend: random(FRIEND_LENGTH), ...none } }
    this.engine.change(() => records.putContact(next))
    return contactView(next)
  }

  /** From now on we do not. @throws SottoError E_DISK_FULL */
  withdraw(contact: Contact): ContactView {
    const { engine } = this
    return contactView(
      engine.change((after) => {
        const next = engine.sender.noNode(contact, engine.now(), after)
        engine.records.putContact(next)
        return next
      }),
    )
  }

  friends(): NodeFriend[] {
    const { root } = this.engine.self.identity
    const now = this.engine.now()
    return this.accepted().flatMap(({ uid, node }) => {
      if (node === undefined) return []
      // What the keys of before have signed, nobody takes any more.
      const isSigned = node.offer.length > 0 && fastEqual(parsePeerOffer(node.offer)?.root ?? empty, root)
      return [
        { contact: hex(uid), friend: node.friend, place: isSigned ? node.place : empty, from: tellableFrom(node, now) },
      ]
    })
  }

  /**
   * The node has given leave: they are told. Nothing where it is not offered to them any more, or they were told too often: it may
   * be in other hands by now, and move without end.
   * @throws SottoError E_DISK_FULL; E_INTERNAL where nobody would take what the node gives
   */
  tell(contact: Contact, { gateway, place, link }: NodeInvite): void {
    const { engine } = this
    const now = engine.now()
    engine.change((after) => {
      if (contact.node === undefined || contact.status !== 'accepted') return
      const version = Math.max(Math.floor(now / 1000), contact.node.version + 1)
      if (tellableFrom(contact.node, now) > now) return
      const tellings = [...tellingsAt(contact.node, now), now]
      const offer = offerOf(engine.self.identity.rootSeed, version, link)
      const next = { ...contact, node: { ...contact.node, gateway, place, version, offer, tellings } }
      engine.records.putContact(engine.sender.node(next, now, after))
    })
    void engine.queues.makeAll()
  }

  private accepted(): Contact[] {
    return this.engine.records.contacts().filter(({ status }) => status === 'accepted')
  }
}

/** Those that still count. None is later than now: a clock that was set back makes nobody wait. */
function tellingsAt({ tellings = [] }: OwnNode, now: Millis): readonly Millis[] {
  return tellings.filter((at) => at > now - ChatLimits.nodeTellingsMs && at <= now)
}

function tellableFrom(node: OwnNode, now: Millis): Millis {
  const tellings = tellingsAt(node, now)
  return tellings.length < ChatLimits.nodeTellings ? now : tellings[0]! + ChatLimits.nodeTellingsMs
}

/** The node may be in other hands by now, and give anything. */
function offerOf(rootSeed: Uint8Array, version: number, link: string): Uint8Array {
  try {
    return sealPeerOffer(rootSeed, version, link)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new SottoError('E_INTERNAL', 'the node gave an invite that nobody would take', { cause })
  }
}

/** Only what is signed with the key that we know of them. */
function theirsOf({ peer, root }: Contact): Pick<NodeView, 'theirs'> {
  const parsed = peer === undefined || peer.address === undefined ? undefined : parsePeerOffer(peer.offer)
  if (parsed === undefined || !fastEqual(parsed.root, root)) return {}
  return { theirs: { host: parsed.invite.gateways[0]!.host, root, offer: peer!.offer } }
}
