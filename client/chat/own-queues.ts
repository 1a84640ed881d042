/**
 * Our queues: those on our card, where anybody may write, and those made for one contact each, on up to two gateways.
 *
 * A queue is stored before the gateway is asked to make it, and read only once the gateway has it. A contact's queue is
 * replaced every 30 days; the old one is read on until nothing can be in it any more.
 */
import { fastEqual, latin1, type Millis, type Random } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { BOX_KEY_LENGTH, SAUTH_LENGTH, SID_LENGTH } from './address.ts'
import type { After, Journal } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { OwnQueue } from './model.ts'
import type { MailboxPort, NewQueue } from './ports.ts'
import type { Records } from './records.ts'

/** Stands for the contact of a queue on our card. */
export const ANYBODY: Uint8Array = new Uint8Array(0)

/** What is stored, so that a message finds its queue without a look at the disk. */
interface Known {
  readonly byRid: Map<string, OwnQueue>
  /** By contact, and there by rid: a round through a thousand contacts asks for each one's. */
  readonly byContact: Map<string, Map<string, OwnQueue>>
  /** By rid: those that are shut as soon as their contact writes elsewhere. */
  readonly leaked: Set<string>
}

export class OwnQueues {
  private readonly records: Records
  private readonly journal: Journal
  private readonly mailbox: MailboxPort
  private readonly random: Random
  private read: Known | undefined
  /** Whether a file of theirs that was not fetched yet lies beside the queue. Asked before one goes that could be kept. */
  holdsFile: (rid: Uint8Array) => boolean = () => false
  /** By rid: those that a gateway is asked to make now. */
  private readonly making = new Map<string, Promise<void>>()

  constructor(records: Records, journal: Journal, mailbox: MailboxPort, random: Random) {
    this.records = records
    this.journal = journal
    this.mailbox = mailbox
    this.random = random
  }

  /**
   * Read when they are first asked for: to read a thousand takes longer than all else that a chat begins with. Before anything of
   * them is written, so that nothing is known of what a transaction takes back.
   */
  private get known(): Known {
    if (this.read !== undefined) return this.read
    const known = { byRid: new Map(), byContact: new Map(), leaked: new Set<string>() }
    for (const queue of this.records.queues()) {
      // Those on a card from before there were quiet queues are asked for again, as quiet.
      const { made, quiet = false } = queue
      this.know(known, { ...queue, made: made && quiet === isOnCard(queue) })
    }
    this.read = known
    return known
  }

  byRid(rid: Uint8Array): OwnQueue | undefined {
    return this.known.byRid.get(latin1(rid))
  }

  bySid(sid: Uint8Array): OwnQueue | undefined {
    return [...this.known.byRid.values()].find((queue) => fastEqual(queue.sid, sid))
  }

  /** Those in use for a contact, or for anybody, in the order of the gateways we prefer. */
  inUse(contact: Uint8Array): OwnQueue[] {
    const homes = this.homes()
    const rank = ({ gateway }: OwnQueue): number => {
      const at = homes.findIndex((home) => fastEqual(home, gateway))
      return at < 0 ? homes.length : at
    }
    const own = this.of(contact).filter(({ retired, atNode }) => retired === 0 && !atNode)
    return own.sort((a, b) => rank(a) - rank(b)).slice(0, ChatLimits.homes)
  }

  /**
   * Makes sure that there is a queue on each home. Inside a transaction; returns those in use.
   * @throws SottoError E_CHAT_NO_GATEWAY where there is neither a queue nor a gateway for one
   */
  ensure(contact: Uint8Array, now: Millis, after: After): OwnQueue[] {
    const inUse = this.inUse(contact)
    const missing = this.homes().filter((home) => !inUse.some(({ gateway }) => fastEqual(gateway, home)))
    const added = missing.map((gateway) => this.add(gateway, contact, now, after))
    if (inUse.length + added.length > 0) return [...inUse, ...added].slice(0, ChatLimits.homes)
    throw noGateway()
  }

  /**
   * Other queues for a contact: somebody else knows those there are, which are read until the contact writes elsewhere. Inside a
   * transaction. @throws SottoError E_CHAT_NO_GATEWAY
   */
  replace(contact: Uint8Array, now: Millis, after: After): OwnQueue[] {
    const before = this.of(contact).filter(({ retired }) => retired === 0)
    const added = this.homes().map((gateway) => this.add(gateway, contact, now, after))
    if (added.length === 0) throw noGateway()
    for (const queue of before) this.store({ ...queue, retired: now, leaked: true }, after)
    return added
  }

  /**
   * The contact writes to a queue in use: those that leaked have nothing more to bring but files, which lie beside them. Inside a
   * transaction.
   */
  shutLeaked(contact: Uint8Array, now: Millis, after: After): void {
    if (this.known.leaked.size === 0) return
    for (const queue of this.of(contact).filter(isOpenLeak)) {
      if (!queue.made) this.drop(queue, after)
      else this.store({ ...queue, shut: now }, after)
    }
    after(() => this.subscribe())
  }

  /** The queue for a contact on our own node; those on a node that was before are replaced. Inside a transaction. */
  ensureAtNode(contact: Uint8Array, gateway: Uint8Array, now: Millis, after: After): OwnQueue {
    const own = this.of(contact).filter(({ retired, atNode }) => retired === 0 && atNode)
    for (const queue of own) if (!fastEqual(queue.gateway, gateway)) this.store({ ...queue, retired: now }, after)
    const here = own.find((queue) => fastEqual(queue.gateway, gateway))
    return here ?? this.add(gateway, contact, now, after, { atNode: true })
  }

  /** Forgets the queues for a contact on our own node. Inside a transaction. */
  dropAtNode(contact: Uint8Array, after: After): void {
    for (const queue of this.of(contact)) if (queue.atNode) this.drop(queue, after)
  }

  /** Replaces a contact's queues that are old; removes those that were replaced long ago. Inside a transaction. */
  rotate(now: Millis, after: After): void {
    for (const queue of [...this.known.byRid.values()]) {
      const isOld = queue.contact.length > 0 && queue.created + ChatLimits.queueMs <= now
      if (queue.retired === 0 && isOld) this.store({ ...queue, retired: now }, after)
      const isOver = queue.retired > 0 && queue.retired + ChatLimits.queueKeptMs <= now
      const isShut = queue.shut !== undefined && queue.shut + ChatLimits.shutMs <= now
      if (isOver || (isShut && !this.holdsFile(queue.rid))) this.drop(queue, after)
    }
  }

  /** Forgets all queues of a contact. Inside a transaction. */
  dropAll(contact: Uint8Array, after: After): void {
    for (const queue of this.of(contact)) this.drop(queue, after)
  }

  /**
   * Has the gateways make what they do not have yet of a contact's queues, and waits for the first that does. Rejects where
   * none of them could be made.
   */
  async make(contact: Uint8Array): Promise<void> {
    const isMade = (): boolean => this.inUse(contact).some(({ made }) => made)
    const works = this.makeThose(this.of(contact)).map(async (work) => {
      const failure = await work
      if (!isMade()) throw failure
    })
    if (isMade()) void Promise.allSettled(works)
    else await Promise.any(works).catch((error: AggregateError) => Promise.reject(error.errors[0]))
  }

  /** As `make`, for all queues, as far as it goes. */
  async makeAll(): Promise<void> {
    await Promise.all(this.makeThose([...this.known.byRid.values()]))
  }

  /** Each gateway for itself, so that one out of reach holds up no other; the first failure there, if there was one. */
  private makeThose(queues: readonly OwnQueue[]): Promise<unknown>[] {
    const waiting = queues.filter(({ made, shut }) => !made && shut === undefined)
    const byGateway = Map.groupBy(waiting, ({ gateway }) => latin1(gateway))
    return [...byGateway.values()].map(async (own) => {
      const results = await Promise.allSettled(own.map((queue) => this.makeOne(queue)))
      this.subscribe()
      return results.find((result) => result.status === 'rejected')?.reason
    })
  }

  /** The gateway does not have it any more. */
  lost(rid: Uint8Array): void {
    const queue = this.byRid(rid)
    if (queue?.made) this.journal.commit((after) => this.store({ ...queue, made: false }, after))
  }

  /** Those on our card, now or before, that a gateway has: each may have a shelf. */
  onCard(): OwnQueue[] {
    return this.of(ANYBODY).filter(({ made }) => made)
  }

  /** Inside a transaction. */
  noteShelf(rid: Uint8Array, shelf: number, after: After): void {
    const queue = this.byRid(rid)
    if (queue !== undefined) this.store({ ...queue, shelf }, after)
  }

  /** Replaces every queue: who stole our keys knows how to read them. Inside a transaction. */
  retireAll(now: Millis, after: After): void {
    for (const queue of this.known.byRid.values())
      if (queue.retired === 0) this.store({ ...queue, retired: now }, after)
  }

  /** Tells the mailbox which queues to read. */
  subscribe(): void {
    const made = [...this.known.byRid.values()].filter((queue) => queue.made && queue.shut === undefined)
    this.mailbox.setQueues(made.map(({ gateway, rid, rauth }) => ({ gateway, rid, rauth })))
  }

  /** Whether we are a member of the gateway of this name, used for our own queues or not. */
  isKnown(gateway: Uint8Array): boolean {
    return this.mailbox.homes().some((home) => fastEqual(home, gateway))
  }

  private homes(): readonly Uint8Array[] {
    return this.mailbox.homes().slice(0, ChatLimits.homes)
  }

  private of(contact: Uint8Array): OwnQueue[] {
    return [...(this.known.byContact.get(latin1(contact))?.values() ?? [])]
  }

  private know({ byRid, byContact, leaked }: Known, queue: OwnQueue): void {
    const [key, contact] = [latin1(queue.rid), latin1(queue.contact)]
    byRid.set(key, queue)
    const own = byContact.get(contact) ?? new Map<string, OwnQueue>()
    byContact.set(contact, own.set(key, queue))
    if (isOpenLeak(queue)) leaked.add(key)
    else leaked.delete(key)
  }

  private unknow({ byRid, byContact, leaked }: Known, { rid, contact }: OwnQueue): void {
    const [key, own] = [latin1(rid), byContact.get(latin1(contact))]
    byRid.delete(key)
    own?.delete(key)
    if (own?.size === 0) byContact.delete(latin1(contact))
    leaked.delete(key)
  }

  /** Whoever wants the same meanwhile waits for the same. */
  private makeOne(queue: OwnQueue): Promise<void> {
    const key = latin1(queue.rid)
    const known = this.making.get(key)
    if (known !== undefined) return known
    const making = this.ask(queue).finally(() => this.making.delete(key))
    this.making.set(key, making)
    return making
  }

  private async ask(queue: OwnQueue): Promise<void> {
    await this.mailbox.create(newQueue(queue))
    this.journal.commit((after) => {
      const current = this.known.byRid.get(latin1(queue.rid))
      if (current !== undefined) this.store({ ...current, made: true, quiet: isOnCard(current) }, after)
    })
  }

  private add(
    gateway: Uint8Array,
    contact: Uint8Array,
    now: Millis,
    after: After,
    more: Pick<OwnQueue, 'atNode'> = {},
  ): OwnQueue {
    const queue: OwnQueue = {
      gateway,
      contact,
      rid: this.random(24),
      rauth: this.random(32),
      sid: this.random(SID_LENGTH),
      sauth: this.random(SAUTH_LENGTH),
      seal: this.random(32),
      box: this.random(BOX_KEY_LENGTH),
      made: false,
      created: now,
      retired: 0,
      ...more,
    }
    this.store(queue, after)
    return queue
  }

  private store(queue: OwnQueue, after: After): void {
    const { known } = this
    this.records.putQueue(queue)
    after(() => this.know(known, queue))
  }

  /** The gateway forgets a queue that nobody reads by itself, so one attempt is enough. */
  private drop(queue: OwnQueue, after: After): void {
    const { known } = this
    this.records.deleteQueue(queue.rid)
    this.records.deleteOneTimeKeys(queue.rid)
    after(() => {
      this.unknow(known, queue)
      this.subscribe()
      if (queue.made) this.mailbox.remove(queue).catch(() => undefined)
    })
  }
}

function newQueue({ gateway, rid, rauth, sid, sauth, seal, contact }: OwnQueue): NewQueue {
  const keys = { gateway, rid, rauth, sid, sauth, seal }
  // Strangers may write to the queue on our card, and shall not see when we come to read it.
  return { ...keys, policy: 'disk', ttlSeconds: ChatLimits.queueTtlSeconds, quiet: isOnCard({ contact }) }
}

const isOpenLeak = ({ leaked, shut }: Pick<OwnQueue, 'leaked' | 'shut'>): boolean =>
  leaked === true && shut === undefined

const noGateway = (): SottoError =>
  new SottoError('E_CHAT_NO_GATEWAY', 'There is no gateway yet that could hold messages for you.')

const isOnCard = ({ contact }: Pick<OwnQueue, 'contact'>): boolean => contact.length === 0
