/** The command line as people meet it: real gateway, real members, and everything that goes wrong on the way. */
import { chmodSync, cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeInvite } from '#protocol/invite.ts'
import type { Outcome } from './helpers/command.ts'
import { Command, jsonLines, member, operator, SharedOwner, startMember, temporaryFolder } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { configure, invite, makeGateway, pairOf, startedGateway, succeed } from './helpers/command-gateway.ts'

const DAY = 86_400

// One gateway with two members serves most tests, one after another: setting them up is most of the work.
const shared = new SharedOwner()
let gateway: GatewayProcess
let ada: string
let ben: string

test.before(async () => {
  gateway = await startedGateway(shared)
  ;[ada, ben] = await pairOf(shared, gateway, ['Ada', 'Ben'])
})
test.after.always(() => shared.end())

/** A well-formed link to a place that is not there. */
function someLink(change: { expires?: number } = {}): string {
  const place = { host: 'localhost', port: 9, addresses: ['127.0.0.1'], key: randomBytes(32), cohort: randomBytes(32) }
  const expires = Math.floor(Date.now() / 1000) + DAY
  return encodeInvite({
    ...{
      name: 'Nowhere',
      gateways: [place],
      code: randomBytes(16),
      template: 'beacon',
      root: randomBytes(32),
      expires,
    },
    ...change,
  })
}

interface Told {
  readonly code: string
  readonly what: string
  readonly kept?: string
  readonly next: string
}

/** One error line of JSON on stderr, nothing on stdout, and the exit status. */
function refused(t: ExecutionContext, { status, out, err }: Outcome, code: string, exit: number): Told {
  t.is(out, '')
  const lines = err.startsWith('{') ? jsonLines(err) : []
  t.is(lines.length, 1, err)
  const { error } = lines[0] as unknown as { error: Told }
  t.is(error.code, code, err)
  t.true(error.what.length > 0 && error.next.length > 0)
  t.is(status, exit, err)
  return error
}

/** The launcher's own refusals: before there is a core. */
function refusedByLauncher(t: ExecutionContext, { status, out, err }: Outcome, code: string): void {
  t.is(out, '')
  t.regex(err, new RegExp(`\\(${code}\\)|"code":"${code}"`))
  t.not(status, 0)
}

const texts = (out: string): unknown[] => jsonLines(out).map(({ text }) => text)

// ---- invites --------------------------------------------------------------------------------------------------------

test.serial('links that are no invites are refused with what to do, and never repeated', async (t) => {
  const state = join(await temporaryFolder(t), 'member')
  const good = someLink()
  const middle = Math.floor(good.length / 2)
  const links: readonly (readonly [string, string])[] = [
    ['', 'E_INVITE_FORMAT'],
    [`sotto://${'%'.repeat(20)}`, 'E_INVITE_FORMAT'],
    [good.slice(0, -7), 'E_INVITE_FORMAT'],
    [good.slice(0, middle) + (good[middle] === 'A' ? 'B' : 'A') + good.slice(middle + 1), 'E_INVITE_FORMAT'],
    [someLink({ expires: Math.floor(Date.now() / 1000) - 1 }), 'E_INVITE_EXPIRED'],
  ]
  for (const [link, code] of links) {
    const told = refused(t, await member(t, state, ['join', '--json', '--name', 'x'], `${link}\n`), code, 2)
    if (link.length > 20) t.false(JSON.stringify(told).includes(link.slice(8, 40)))
  }
  const person = await member(t, state, ['join', '--name', 'x'], 'sotto://x')
  t.regex(person.err, /^E_INVITE_FORMAT: .+\n {2}.+\n$/)
  refused(t, await member(t, state, ['status', '--json']), 'E_NOT_JOINED', 1)
})

test.serial('an invite on the command line is refused before anything is done with it', async (t) => {
  const state = join(await temporaryFolder(t), 'member')
  const link = someLink()
  const outcome = await member(t, state, ['join', '--json', link])
  const told = refused(t, outcome, 'E_SECRET_IN_ARGV', 2)
  t.false(outcome.err.includes(link.slice(8, 30)))
  t.regex(told.next, /standard input/)
})

test('a gateway that is down: told within the deadline, the invite is kept, and joining again goes on', async (t) => {
  const own = await makeGateway(t)
  const { link } = await invite(t, own)
  const state = join(await temporaryFolder(t), 'member')
  const told = refused(t, await member(t, state, ['join', '--json', '--name', 'Early'], link), 'E_TUNNEL_TIMEOUT', 4)
  t.regex(told.kept ?? '', /invite/)
  await own.start()
  // Without the link, since it is kept.
  const chat = startMember(t, state, ['chat', '--json'])
  await chat.told(({ state: how }) => (how as { kind?: string } | undefined)?.kind === 'ready', 'a connection')
  chat.child.stdin.end()
  t.is((await chat.ended).status, 0)
  const again = JSON.parse(await succeed(member(t, state, ['join', '--json'], link)))
  t.is(again.me.name, 'Early')
})

test('a revoked invite: a newcomer and a member both hear that it is not the network', async (t) => {
  const [unused, used] = [await invite(t, gateway), await invite(t, gateway)]
  const folder = await temporaryFolder(t)
  const old = join(folder, 'old')
  await succeed(member(t, old, ['join', '--name', 'old'], used.link))
  const chat = startMember(t, old, ['chat', '--json'])
  await chat.told(({ state }) => (state as { kind?: string } | undefined)?.kind === 'ready', 'a connection')
  for (const { id } of [unused, used]) {
    t.is((await operator(t, ['invite', 'revoke', id, '--state', gateway.state])).status, 0)
  }
  const isFailing = ({ state }: Record<string, unknown>): boolean =>
    ['E_REVOKED', 'E_NOT_RECOGNISED'].includes((state as { code?: string } | undefined)?.code ?? '')
  const newcomer = member(t, join(folder, 'new'), ['join', '--json', '--name', 'new'], unused.link)
  await chat.told(isFailing, 'a loss of membership')
  chat.child.stdin.end()
  t.is((await chat.ended).status, 0)
  t.regex(refused(t, await newcomer, 'E_NOT_RECOGNISED', 4).next, /invite/)
})

test.serial('clocks that are wrong by hours: they join, and talk to each other', async (t) => {
  const folder = await temporaryFolder(t)
  const script = join(import.meta.dirname, 'helpers', 'command-shifted.ts')
  const at =
    (hours: number, name: string) =>
    async (args: readonly string[], input = ''): Promise<string> => {
      const env = { ...process.env, SOTTO_CLOCK_SHIFT: String(hours * 3_600_000) }
      const command = new Command(t, [script, ...args, '--state', join(folder, name)], { env })
      command.child.stdin.end(input)
      return await succeed(command.ended)
    }
  const [slow, fast] = [at(-30, 'slow'), at(5, 'fast')]
  await slow(['join', '--name', 'Slow'], (await invite(t, gateway)).link)
  await fast(['join', '--name', 'Fast'], (await invite(t, gateway)).link)
  await slow(['contacts', 'add'], await fast(['card']))
  await fast(['contacts', 'add'], await slow(['card']))
  await slow(['send', 'Fast', 'what time is it?'])
  t.deepEqual(texts(await fast(['recv', '--json'])), ['what time is it?'])
  await fast(['send', 'Slow', 'later'])
  t.deepEqual(texts(await slow(['recv', '--json'])), ['later'])
})

// ---- state ----------------------------------------------------------------------------------------------------------

test.serial('state that cannot be used is told and left as it is', async (t) => {
  const sound = ada
  const folder = await temporaryFolder(t)
  const faults: readonly (readonly [string, string, (file: string) => void])[] = [
    ['cut-off', 'core/chat/chat.db', (file) => truncateSync(file, 3_000)],
    ['foreign', 'core/chat/chat.db', (file) => writeFileSync(file, 'shopping list\n'.repeat(400))],
    ['open-to-others', 'core/chat/device.key', (file) => chmodSync(file, 0o644)],
    ['cut-off-vault', 'firewall/vault', (file) => truncateSync(file, 50)],
  ]
  for (const [name, path, damage] of faults) {
    const state = join(folder, name)
    cpSync(sound, state, { recursive: true })
    const file = join(state, path)
    damage(file)
    const before = readFileSync(file)
    const outcome = await member(t, state, ['contacts', '--json'])
    if (path.startsWith('core')) {
      t.is(refused(t, outcome, 'E_STATE_UNREADABLE', 3).kept, 'Nothing was changed.', name)
    } else refusedByLauncher(t, outcome, 'E_STATE_UNREADABLE')
    t.deepEqual(readFileSync(file), before, name)
  }
  t.is((await member(t, sound, ['contacts'])).status, 0, 'the original was not touched')
})

test.serial('a gateway’s state that cannot be used is told, and a second gateway on it is refused', async (t) => {
  const gateway = await startedGateway(t)
  const run = (state: string): Promise<Outcome> => operator(t, ['gateway', 'run', '--state', state])
  const second = await run(gateway.state)
  t.regex(second.err, /^E_STATE_BUSY: /)
  t.is(second.status, 3)
  await gateway.stop()
  const folder = await temporaryFolder(t)
  const faults: readonly (readonly [string, string, (file: string) => void])[] = [
    ['open-key', 'store.key', (file) => chmodSync(file, 0o644)],
    ['no-key', 'gateway.key', (file) => rmSync(file)],
    ['cut-off', 'store/data.mdb', (file) => truncateSync(file, 5_000)],
  ]
  for (const [name, path, damage] of faults) {
    const state = join(folder, name)
    cpSync(gateway.state, state, { recursive: true })
    damage(join(state, path))
    const { err, status } = await run(state)
    t.regex(err, /^E_STATE_UNREADABLE: /, name)
    t.is(status, 3, name)
  }
  await gateway.start()
})

test.serial('two programs on one state folder: the second is told, the first goes on', async (t) => {
  const state = ada
  const chat = startMember(t, state, ['chat', '--json'])
  await chat.told(({ state: how }) => (how as { kind?: string } | undefined)?.kind === 'ready', 'a connection')
  refusedByLauncher(t, await member(t, state, ['contacts', '--json']), 'E_STATE_BUSY')
  chat.child.stdin.end()
  t.is((await chat.ended).status, 0)
  t.is((await member(t, state, ['contacts', '--json'])).status, 0)
})

// ---- talking --------------------------------------------------------------------------------------------------------

test.serial(
  'a conversation by commands, with receipts, absence and a gateway that was killed in between',
  async (t) => {
    const [a, b] = [ada, ben]
    const [contact] = jsonLines(await succeed(member(t, a, ['contacts', '--json'])))
    t.like(contact, { name: 'Ben', status: 'accepted', unread: 0, verified: false })

    const sent = JSON.parse(await succeed(member(t, a, ['send', 'Ben', 'first', 'words', '--json'])))
    t.like(sent, { text: 'first words', from: 'me', status: 'sent' })
    // Ben is away; the gateway loses power.
    await gateway.stop('SIGKILL')
    await gateway.start()
    t.is((await succeed(member(t, a, ['send', 'ben'], 'from standard input\n'))).trim(), '✓ Ben')

    t.deepEqual(texts(await succeed(member(t, b, ['recv', '--json']))), ['first words', 'from standard input'])
    t.is(await succeed(member(t, b, ['recv', '--json'])), '', 'nothing comes twice')
    await succeed(member(t, a, ['recv', '--json']))
    const seen = jsonLines(await succeed(member(t, a, ['history', 'Ben', '--json'])))
    t.deepEqual(
      seen.map(({ text, from, status }) => ({ text, from, status })),
      [
        { text: 'first words', from: 'me', status: 'read' },
        { text: 'from standard input', from: 'me', status: 'read' },
      ],
    )
    t.regex(await succeed(member(t, b, ['history', 'Ada', '--limit', '1'])), /Ada {2}from standard input\n$/)
    const [status] = jsonLines(await succeed(member(t, a, ['status', '--json'])))
    t.like(status, { state: { kind: 'ready' }, template: 'beacon' })
    t.false(JSON.stringify(status).includes('"code"'))
  },
)

test.serial('status --watch tells what is used, why and for how much, and every change, until stopped', async (t) => {
  const watch = startMember(t, ada, ['status', '--watch', '--json'])
  const ready = await watch.told(({ state }) => (state as { kind: string }).kind === 'ready', 'being connected')
  t.like(ready, { template: 'beacon', why: 'the invite names it', findings: [], tried: [] })
  const { up, down } = ready.today as { up: number; down: number }
  t.true(up > 0 && down > 0)
  await gateway.stop('SIGKILL')
  const failing = await watch.told(({ state }) => (state as { kind: string }).kind === 'failing', 'the loss')
  t.regex((failing.state as { code: string }).code, /^E_PATH_/)
  await gateway.start()
  watch.child.kill('SIGTERM')
  const { status, err } = await watch.ended
  t.is(status, 0, err)
  const [later] = jsonLines(await succeed(member(t, ada, ['status', '--json'])))
  t.true((later!.today as { up: number }).up > up, 'what was counted is kept')
})

test.serial('two chats go on by themselves after the gateway was killed', async (t) => {
  const [a, b] = [ada, ben]
  const [chatA, chatB] = [startMember(t, a, ['chat', '--json']), startMember(t, b, ['chat', '--json'])]
  const arrives = (chat: Command, wanted: string): Promise<unknown> =>
    chat.told(({ type, message }) => {
      const { text, from } = (message ?? {}) as { text?: string; from?: string }
      return type === 'message' && from === 'them' && text === wanted
    }, wanted)
  chatA.say({ to: 'Ben', text: 'before' })
  await arrives(chatB, 'before')
  const { message } = (await chatB.told(({ type }) => type === 'message', 'it')) as { message: { id: string } }
  chatA.say({ edit: 'Ben', message: message.id, text: 'before it' })
  chatB.say({ react: 'Ada', message: message.id, symbol: '👍' })
  await chatA.told(({ type, message: of }) => {
    const { text, theirReaction } = (of ?? {}) as { text?: string; theirReaction?: string }
    return type === 'changed' && text === 'before it' && theirReaction === '👍'
  }, 'an edit and a reaction')
  await chatB.told(
    ({ type, message: of }) => type === 'changed' && (of as { text: string }).text === 'before it',
    'an edit',
  )
  await gateway.stop('SIGKILL')
  chatA.say({ to: 'Ben', text: 'during, from Ada' })
  chatB.say({ to: 'Ada', text: 'during, from Ben' })
  await chatA.told(({ state }) => (state as { kind?: string } | undefined)?.kind === 'failing', 'an outage')
  await gateway.start()
  await Promise.all([arrives(chatB, 'during, from Ada'), arrives(chatA, 'during, from Ben')])
  chatB.say({ to: 'Ada', text: 'after' })
  await arrives(chatA, 'after')
  for (const chat of [chatA, chatB]) {
    chat.child.stdin.end()
    t.is((await chat.ended).status, 0)
    const received = jsonLines(chat.out).filter(
      ({ type, message }) => type === 'message' && (message as { from: string }).from === 'them',
    )
    t.is(received.length, chat === chatA ? 2 : 2, 'each message once')
  }
})

test.serial(
  'who is there: asked by command and in a chat; who is invisible is not seen, but by whom they chose',
  async (t) => {
    t.timeout(300_000)
    const [a, b] = [ada, ben]
    const chat = startMember(t, b, ['chat', '--json'])
    const state = async (): Promise<unknown> =>
      (jsonLines(await succeed(member(t, a, ['presence', 'Ben', '--json'])))[0] as { state: unknown }).state
    // A busy machine may take longer than anybody waits for an answer.
    while ((await state()) !== 'online');
    const heard = await chat.told(({ type }) => type === 'presence', 'who asks is seen')
    t.is((heard.presence as { state: string }).state, 'online')

    chat.say({ showing: 'invisible' })
    chat.say({ read: 'nobody' })
    await chat.told(({ error }) => error !== undefined, 'that both lines were taken')
    t.not(await state(), 'online')
    chat.child.stdin.end()
    await chat.ended
    const settings = async (...args: string[]): Promise<unknown> =>
      jsonLines(await succeed(member(t, b, [...args, '--json'])))[0]
    t.like(await settings('presence', 'show', 'Ada'), { showing: 'invisible', hidden: [], every: 0 })
    t.like(await settings('receipts', 'off', 'Ada'), { readReceipts: true })
    refused(t, await member(t, b, ['presence', 'every', '5s', '--json']), 'E_USAGE', 2)
    t.like(await settings('presence', 'visible'), { showing: 'visible' })
  },
)

test.serial('a full store: the sender is told, nothing is lost, and it goes out once there is room', async (t) => {
  const look = ['--look', 'support-chat']
  await succeed(member(t, ben, ['recv', ...look]))
  await gateway.stop()
  await configure(gateway, '\nlimits: {storeBytes: 1200 KiB}\n')
  await gateway.start()
  // The store measures itself every 64 changes, so more than that are needed to see it full.
  const words = Array.from({ length: 90 }, (_, i) => `${i} ${'x'.repeat(12_000)}`)
  const chat = startMember(t, ada, ['chat', '--json', ...look])
  for (const text of words) chat.say({ to: 'Ben', text })
  await chat.told(({ error }) => (error as Told | undefined)?.code === 'E_MAILBOX_FULL', 'a full mailbox')
  chat.child.stdin.end()
  await chat.ended
  const late = JSON.parse(await succeed(member(t, ada, ['send', 'Ben', 'one more', '--json', ...look])))
  t.is(late.status, 'pending')
  t.is(late.waits.code, 'E_MAILBOX_FULL')
  t.regex(late.waits.kept, /kept/)

  // Reading makes room, also in a full store; then the chats of both bring the rest.
  const [sending, reading] = [ada, ben].map((state) => startMember(t, state, ['chat', '--json', ...look]))
  const fromAda = ({ out }: Command): { id: string; text: string }[] =>
    jsonLines(out).flatMap(({ type, message }) => (type === 'message' ? [message as { id: string; text: string }] : []))
  await reading!.until((each) => (fromAda(each).length > words.length ? true : undefined), 'all messages')
  for (const each of [sending!, reading!]) {
    each.child.stdin.end()
    t.is((await each.ended).status, 0)
  }
  const arrived = fromAda(reading!)
  t.is(new Set(arrived.map(({ id }) => id)).size, arrived.length, 'each message once')
  const first = (text: string): string => text.slice(0, 8)
  t.deepEqual(arrived.map(({ text }) => first(text)).sort(), [...words, 'one more'].map(first).sort())
})

// ---- what hostile and careless people type --------------------------------------------------------------------------

test.serial('names, texts and pipes of all kinds', async (t) => {
  const folder = await temporaryFolder(t, 'sotto test with «spaces» ')
  const { link } = await invite(t, gateway)
  const state = join(folder, 'a b')
  for (const name of ['', 'a\u001b[2Jb', 'x'.repeat(65)]) {
    refused(t, await member(t, state, ['join', '--json', '--name', name], link), 'E_CHAT_NAME', 1)
  }
  await succeed(member(t, state, ['join', '--name', 'Zoë 🦊'], link))
  const friend = ben
  await succeed(member(t, state, ['contacts', 'add'], await succeed(member(t, friend, ['card']))))
  await succeed(member(t, friend, ['contacts', 'add'], await succeed(member(t, state, ['card']))))

  for (const text of [' \n', 'x'.repeat(20_000)]) {
    refused(t, await member(t, state, ['send', 'Ben', '--json'], text), 'E_CHAT_TEXT', 1)
  }
  refused(t, await member(t, state, ['send', 'Ben', '--json'], 'x'.repeat(200_000)), 'E_USAGE', 2)
  refused(t, await member(t, state, ['send', '--json', 'Nobody', 'hi']), 'E_CONTACT_UNKNOWN', 1)
  refused(t, await member(t, state, ['contacts', 'dance', '--json']), 'E_USAGE', 2)
  const typed = await member(t, state, ['chat', '--json'], 'x\nnull\n5\n"to"\n[1]\n{}\n')
  const codes = jsonLines(typed.out).flatMap(({ error }) => (error === undefined ? [] : [(error as Told).code]))
  t.deepEqual(
    codes,
    Array.from({ length: 6 }, () => 'E_USAGE'),
  )
  const odd = ['🦊👩‍👩‍👧‍👦', '\u001b]0;owned\u0007\u202eevil', 'x'.repeat(16_384)]
  for (const text of odd) await succeed(member(t, state, ['send', 'Ben'], text))

  // Whoever reads only the first line does not make the rest disappear, nor the program shout.
  const half = startMember(t, friend, ['recv'])
  half.child.stdin.end()
  await half.printed(/\n/)
  half.child.stdout.destroy()
  const { err } = await half.ended
  t.is(err, '')
  await succeed(member(t, friend, ['recv']))
  const shown = await succeed(member(t, friend, ['history', 'Zoë 🦊']))
  t.false(/\p{Cc}|\u202e/u.test(shown.replaceAll('\n', '')), 'nothing steers the terminal')
  t.deepEqual(texts(await succeed(member(t, friend, ['history', 'zo', '--json']))), odd)
})
