/** Finding out who is there, with both people's chats and a clock that moves when told; only the tracker's word is made up. */
import test from 'ava'
import { NO_FAULTS } from '#client/chat/fixtures/mailbox.ts'
import { acquainted, Person, World } from '#client/chat/fixtures/world.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Found } from '#client/finding/finder.ts'
import { fromHex, hex } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { PresenceChecker } from './checker.ts'
import { Rounds } from './rounds.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

interface Word {
  readonly state: 'online' | 'offline'
  readonly bundle: 'known' | 'other'
  readonly isOver?: boolean
  readonly isHidden?: boolean
}

class Scene {
  readonly world: World
  readonly people: readonly Person[]
  readonly alice: Person
  readonly checker: PresenceChecker
  /** What the tracker says of everybody; undefined: it does not answer; null: it has nothing. */
  word: Word | undefined | null = null
  asked: number[] = []
  /** What happens meanwhile. */
  onAsked: () => Promise<void> = async () => {}
  onCard: () => void = () => {}

  private constructor(world: World, people: readonly Person[]) {
    this.world = world
    this.people = people
    this.alice = people[0]!
    const finding = {
      newest: (roots: readonly Uint8Array[]) => this.newest(roots),
      card: async (root: Uint8Array) => {
        const card = await this.people.find(({ chat }) => hex(chat.root) === hex(root))!.chat.myCard()
        this.onCard()
        return card
      },
    }
    this.checker = new PresenceChecker({ chat: this.alice.chat, finding, clockwork: this.clockwork })
  }

  static async create(seed: number, ...names: string[]): Promise<Scene> {
    const world = new World(seed)
    const people = names.map((name) => new Person(world, name))
    for (const other of people.slice(1)) {
      await acquainted(world, people[0]!, other)
      people[0]!.chat.send(other.id, 'hello')
      other.chat.send(people[0]!.id, 'hello')
    }
    await world.pass(5 * MINUTE)
    return new Scene(world, people)
  }

  get clockwork(): Clockwork {
    const { time, chance } = this.world
    return {
      ...{ now: () => time.now, random: chance.bytes },
      after: (ms, run) => time.after(ms, run),
      soon: (run) => void time.after(0, run),
    }
  }

  async newest(roots: readonly Uint8Array[]): Promise<Map<string, Found>> {
    this.asked.push(roots.length)
    await this.onAsked()
    const { word } = this
    if (word === undefined) throw new SottoError('E_TRACKER_UNREACHABLE', 'not now')
    if (word === null) return new Map()
    const cards = new Map(this.alice.chat.friends().map(({ root, card }) => [hex(root), card]))
    const found = (root: Uint8Array): Found => ({
      head: {
        ...{ state: word.state, seq: 1, epoch: 1 },
        leaseEnd: this.world.time.now + (word.isOver ? -1 : MINUTE),
      } as Found['head'],
      contents: {
        ...{ document: new Uint8Array(32), profile: new Uint8Array(16), endpoints: [] },
        bundle: word.bundle === 'known' ? sha256(cards.get(hex(root))!) : new Uint8Array(32),
        queues: word.isHidden ? [] : [{ gateway: 'g', sid: new Uint8Array(24), sauth: new Uint8Array(32) }],
      },
    })
    return new Map(roots.map((root) => [hex(root), found(root)]))
  }

  async until<T>(work: Promise<T>): Promise<T> {
    let done = false
    void work.finally(() => {
      done = true
    })
    await this.world.time.run(() => done, 5 * MINUTE)
    return await work
  }

  async outcome(): Promise<string> {
    // What was found before is too long ago to count.
    await this.world.pass(PresenceLimits.lifeMs + SECOND)
    this.asked = []
    const { state, by } = await this.until(this.checker.check(this.people[1]!.id))
    return `${state} by ${by}`
  }
}

test('who answers is there, and no tracker is asked', async (t) => {
  const scene = await Scene.create(1, 'Alice', 'Bob')
  t.is(await scene.outcome(), 'online by themselves')
  t.deepEqual(scene.asked, [])
})

test('who does not answer: what the tracker says, as far as the table believes it', async (t) => {
  const scene = await Scene.create(2, 'Alice', 'Bob')
  scene.people[1]!.mailbox.disconnect()
  const words: [Scene['word'], string][] = [
    [{ state: 'online', bundle: 'known' }, 'unknown by tracker'],
    [{ state: 'offline', bundle: 'known' }, 'offline by tracker'],
    [{ state: 'online', bundle: 'known', isOver: true }, 'unknown by tracker'],
    [{ state: 'offline', bundle: 'other', isHidden: true }, 'offline by tracker'],
    [{ state: 'online', bundle: 'other' }, 'offline by tracker'],
    [{ state: 'offline', bundle: 'other' }, 'offline by tracker'],
    [{ state: 'online', bundle: 'other', isOver: true }, 'unknown by tracker'],
    [null, 'unknown by tracker'],
    [undefined, 'unknown by tracker'],
  ]
  for (const [word, expected] of words) {
    scene.word = word
    t.is(await scene.outcome(), expected, JSON.stringify(word))
    t.deepEqual(scene.asked, [1])
  }
})

test('the tracker names another address: the person is asked there, and answers', async (t) => {
  const scene = await Scene.create(3, 'Alice', 'Bob')
  const bob = scene.people[1]!
  for (const { rid, contact } of bob.queues()) if (contact.length > 0) scene.world.gateway.forget(rid)
  scene.word = { state: 'online', bundle: 'known' }
  t.is(await scene.outcome(), 'unknown by tracker')
  scene.word = { state: 'offline', bundle: 'other' }
  t.is(await scene.outcome(), 'online by themselves')
})

test('who is removed or blocked while their card is fetched stays so', async (t) => {
  for (const how of ['remove', 'block'] as const) {
    const scene = await Scene.create(3, 'Alice', 'Bob')
    const bob = scene.people[1]!
    bob.mailbox.disconnect()
    scene.word = { state: 'online', bundle: 'other' }
    scene.onCard = () => void scene.alice.chat[how](bob.id)
    t.is(await scene.outcome(), 'offline by tracker')
    t.deepEqual(
      scene.alice.chat.contacts().map(({ status }) => status),
      how === 'remove' ? [] : ['blocked'],
    )
  }
})

test('who is removed while they are asked is nobody’s business any more', async (t) => {
  const scene = await Scene.create(8, 'Alice', 'Bob', 'Carol')
  const [, bob, carol] = scene.people
  for (const person of [bob!, carol!]) person.mailbox.disconnect()
  scene.word = { state: 'offline', bundle: 'known' }
  const found = scene.checker.checkAll([bob!.id, carol!.id])
  await scene.world.pass(SECOND)
  scene.alice.chat.remove(bob!.id)
  t.is((await scene.until(found)).get(carol!.id)?.state, 'offline')
  t.is(scene.alice.events.filter((event) => event.type === 'presence' && event.contact === bob!.id).length, 0)
})

test('the program ends while somebody is asked', async (t) => {
  const scene = await Scene.create(9, 'Alice', 'Bob')
  const bob = scene.people[1]!
  bob.mailbox.disconnect()
  const found = [scene.checker.checkAll([bob.id]), scene.checker.check(bob.id)] as const
  scene.checker.close()
  scene.alice.chat.close()
  scene.alice.store.die()
  t.deepEqual([(await found[0]).get(bob.id)?.state, (await found[1]).state], ['unknown', 'unknown'])
})

test('what they say while trackers are asked counts more than these', async (t) => {
  const scene = await Scene.create(10, 'Alice', 'Bob')
  const bob = scene.people[1]!
  scene.world.gateway.faults = { ...NO_FAULTS, callLost: 1 }
  scene.word = { state: 'offline', bundle: 'known' }
  scene.onAsked = async () => {
    scene.world.gateway.faults = NO_FAULTS
    void bob.chat.presence.probe(scene.alice.id)
    await new Promise<void>((resolve) => scene.world.time.after(5 * SECOND, resolve))
  }
  t.is(await scene.outcome(), 'online by themselves')
  t.deepEqual([scene.asked, scene.alice.chat.presence.of(bob.id)?.state], [[1], 'online'])
})

test('whom we are hidden from is not asked, at no address; the tracker is', async (t) => {
  const scene = await Scene.create(4, 'Alice', 'Bob')
  scene.alice.chat.presence.setShowing('invisible')
  scene.word = { state: 'online', bundle: 'other' }
  await scene.world.pass(MINUTE)
  const before = scene.world.gateway.bodies.length
  t.is(await scene.outcome(), 'offline by tracker')
  t.is(scene.world.gateway.bodies.length, before)
})

test('everybody: one after another, and trackers once for all that are left', async (t) => {
  const scene = await Scene.create(5, 'Alice', 'Bob', 'Carol', 'Dan')
  const [, bob, carol, dan] = scene.people
  for (const person of [carol!, dan!]) person.mailbox.disconnect()
  scene.word = { state: 'offline', bundle: 'known' }
  const times: number[] = []
  const put = scene.world.gateway.put.bind(scene.world.gateway)
  scene.world.gateway.put = (message) => {
    times.push(scene.world.time.now)
    return put(message)
  }
  const found = await scene.until(scene.checker.checkAll([bob!, carol!, dan!].map(({ id }) => id)))
  t.deepEqual(
    [bob!, carol!, dan!].map(({ id }) => found.get(id)!.state),
    ['online', 'offline', 'offline'],
  )
  t.deepEqual(scene.asked, [2])
  const [least] = PresenceLimits.spacingMs
  t.true(times.at(-1)! - times[0]! >= least, 'no burst')
})

test('PresenceLimits.roundFriends: of many friends some are drawn, others each time', async (t) => {
  const scene = await Scene.create(6, 'Alice', 'Bob')
  const { records, store, chat } = scene.alice
  const bob = records.contact(fromHex(scene.people[1]!.id)!)!
  store.transaction(() => {
    for (let i = 0; i < 100; i++) records.putContact({ ...bob, uid: new Uint8Array(32).fill(i + 1) })
  })
  chat.rename(scene.people[1]!.id, 'Robert')
  const [one, two] = [chat.presence.round(), chat.presence.round()]
  t.is(one.length, PresenceLimits.roundFriends)
  t.is(new Set(one).size, one.length)
  t.notDeepEqual(one, two)
})

test('rounds: when the chat is open and there is a way, then as often as was wished, and not once it is closed', async (t) => {
  const scene = await Scene.create(7, 'Alice', 'Bob', 'Carol')
  const { chat } = scene.alice
  const asked: (readonly string[])[] = []
  const checker = {
    checkAll: async (ids: readonly string[]) => {
      asked.push(ids)
      return new Map()
    },
  }
  const rounds = new Rounds(chat, checker, scene.clockwork)
  rounds.connected()
  t.is(asked.length, 0, 'nobody looks')
  rounds.begin()
  t.deepEqual(
    asked.map((ids) => ids.length),
    [2],
  )
  rounds.connected()
  await scene.world.pass(60 * MINUTE)
  t.is(asked.length, 1, 'once, unless it was wished')
  chat.presence.setAskEvery(600)
  rounds.retime()
  await scene.world.pass(60 * MINUTE)
  t.true(asked.length >= 5 && asked.length <= 9, `${asked.length - 1} rounds in an hour`)
  const before = asked.length
  rounds.end()
  await scene.world.pass(60 * MINUTE)
  t.is(asked.length, before)
})
