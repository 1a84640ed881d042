/**
 * `sotto node` and `sotto peer` as people meet them, in processes of their own: Ada has a node, Ben connects to it, and
 * messages take the mailbox wherever they cannot go straight. Which way one went is told by what was down.
 */
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { freePort } from '../scripts/bench/ports.ts'
import { gatewayMain, memberMain } from '../scripts/demo/commands.ts'
import { Command, jsonLines, member, type Owner, operator, SharedOwner, temporaryFolder } from './helpers/command.ts'
import { type GatewayProcess, pairOf, startedGateway, succeed } from './helpers/command-gateway.ts'

/** Ada's node, in runs one after another. */
class Node {
  readonly state: string
  port = 0
  private runs: Command[] = []
  private readonly owner: Owner

  constructor(owner: Owner, state: string) {
    this.owner = owner
    this.state = state
  }

  static async make(owner: Owner, port?: number): Promise<Node> {
    const node = new Node(owner, join(await temporaryFolder(owner), 'node'))
    node.port = port ?? (await freePort())
    const where = ['--listen', `https://127.0.0.1:${node.port}`, '--self-signed', '--address', '127.0.0.1']
    await succeed(
      operator(owner, ['node', 'init', '--state', node.state, '--name', 'Node', '--domain', 'localhost', ...where]),
    )
    return node
  }

  async start(): Promise<void> {
    const run = new Command(this.owner, [gatewayMain, 'node', 'run', '--state', this.state], { server: true })
    this.runs.push(run)
    await run.until(({ err }) => (/ is up/.test(err) ? true : undefined), 'being up')
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.runs.at(-1)?.child.kill(signal)
    await this.runs.at(-1)?.ended
  }

  async link(): Promise<string> {
    return await succeed(operator(this.owner, ['node', 'link', '--state', this.state]))
  }

  /** To another port, between two runs. */
  async move(): Promise<void> {
    const file = join(this.state, 'gateway.yaml')
    const port = await freePort()
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll(String(this.port), String(port)))
    this.port = port
  }
}

const shared = new SharedOwner()
let gateway: GatewayProcess
let node: Node
let ada: string
let ben: string

test.before(async () => {
  gateway = await startedGateway(shared)
  node = await Node.make(shared)
  await node.start()
  ;[ada, ben] = await pairOf(shared, gateway, ['Ada', 'Ben'])
})
test.after.always(() => shared.end())

const json = async (run: ReturnType<typeof member>): Promise<Record<string, unknown>[]> => jsonLines(await succeed(run))
const peersOf = async (t: Owner, state: string): Promise<unknown[]> =>
  (await json(member(t, state, ['firewall', 'list', '--json'])))
    .filter(({ kind }) => kind === 'peer')
    .map(({ port }) => port)

/** A chat that runs until it is ended, in lines of JSON. */
function chatOf(t: Owner, state: string): Command {
  return new Command(t, [memberMain, 'chat', '--json', '--state', state], { server: true })
}

const textOf = ({ type, message }: Record<string, unknown>): string | undefined => {
  const { text, from } = (message ?? {}) as { text?: string; from?: string }
  return type === 'message' && from === 'them' ? text : undefined
}
const arrived = (chat: Command, text: string): Promise<unknown> => chat.told((value) => textOf(value) === text, text)

async function ended(...chats: Command[]): Promise<void> {
  for (const chat of chats) chat.child.stdin.end()
  for (const chat of chats) await chat.ended
}

test.serial('off until both want it, and both are told what it shows', async (t) => {
  await succeed(member(t, ada, ['join', '--node'], await node.link()))
  const asked = await succeed(member(t, ada, ['peer', 'offer', 'Ben']))
  t.regex(asked, /would see the address of Ben’s computer/)
  t.deepEqual(await json(member(t, ada, ['peer', '--json'])), [])
  const [offered] = await json(member(t, ada, ['peer', 'offer', 'Ben', '--yes', '--json']))
  t.like(offered, { offered: true, told: true })
  await succeed(member(t, ben, ['recv']))
  t.like((await json(member(t, ben, ['peer', '--json'])))[0], { name: 'Ada', host: 'localhost', ours: 'no' })
  t.deepEqual(await peersOf(t, ben), [])
  t.regex(await succeed(member(t, ben, ['peer', 'allow', 'Ada'])), /sees the address of your computer/)
  t.deepEqual(await peersOf(t, ben), [])
  t.like((await json(member(t, ben, ['peer', 'allow', 'Ada', '--yes', '--json'])))[0], { allowed: true })
  t.deepEqual(await peersOf(t, ben), [node.port])
  t.is((await member(t, ben, ['peer', 'allow', 'Somebody', '--yes'])).status, 2)
})

test.serial('straight while the gateway is down, by the mailbox while the node is, once each', async (t) => {
  const chats = [chatOf(t, ada), chatOf(t, ben)] as const
  const [ofAda, ofBen] = chats
  const say = async (text: string): Promise<void> => {
    ofBen.say({ to: 'Ada', text })
    await arrived(ofAda, text)
  }
  await say('both are up')
  await gateway.stop()
  await say('only the node')
  await gateway.start()
  await node.stop('SIGKILL')
  await say('only the gateway')
  await node.start()
  await gateway.stop('SIGKILL')
  await say('only the node again')
  await gateway.start()
  await say('both again')
  ofAda.say({ to: 'Ben', text: 'and back' })
  await arrived(ofBen, 'and back')
  await ended(...chats)
  const texts = jsonLines(ofAda.out)
    .map(textOf)
    .filter((text) => text !== undefined)
  t.deepEqual(texts, ['both are up', 'only the node', 'only the gateway', 'only the node again', 'both again'])
})

test.serial('Ben is killed while he writes straight: nothing is lost, and nothing comes twice', async (t) => {
  const ofAda = chatOf(t, ada)
  const all: string[] = []
  for (let round = 0; round < 3; round++) {
    const ofBen = chatOf(t, ben)
    const texts = Array.from({ length: 5 }, (_, n) => `round ${round}, ${n}`)
    all.push(...texts)
    for (const text of texts) ofBen.say({ to: 'Ada', text })
    await ofBen.told(({ message }) => (message as { text?: string } | undefined)?.text === texts.at(-1), 'the last one')
    ofBen.child.kill('SIGKILL')
    await ofBen.ended
  }
  const ofBen = chatOf(t, ben)
  await Promise.all(all.map((text) => arrived(ofAda, text)))
  await ended(ofAda, ofBen)
  const texts = jsonLines(ofAda.out)
    .map(textOf)
    .filter((text) => text !== undefined)
  t.deepEqual(texts.toSorted(), all.toSorted())
})

test.serial('somebody else in the node’s place gets nothing: keys are pinned', async (t) => {
  await node.stop()
  const stranger = await Node.make(t, node.port)
  for (const file of ['certificate.pem', 'tls.key']) await copyFile(join(node.state, file), join(stranger.state, file))
  await stranger.start()
  const [ofAda, ofBen] = [chatOf(t, ada), chatOf(t, ben)]
  ofBen.say({ to: 'Ada', text: 'past a stranger' })
  await arrived(ofAda, 'past a stranger')
  await ended(ofAda, ofBen)
  await stranger.stop()
  await node.start()
  const [view] = await json(member(t, ben, ['peer', '--json']))
  t.like(view, { name: 'Ada', host: 'localhost' })
})

test.serial('the node moves: who is allowed follows, and is asked nothing', async (t) => {
  await node.stop()
  await node.move()
  await node.start()
  await succeed(member(t, ada, ['join', '--node'], await node.link()))
  const [ofAda, ofBen] = [chatOf(t, ada), chatOf(t, ben)]
  await ofBen.told(({ type, offered }) => type === 'node' && offered === true, 'another place')
  await gateway.stop()
  ofBen.say({ to: 'Ada', text: 'at the new place' })
  await arrived(ofAda, 'at the new place')
  await gateway.start()
  await ended(ofAda, ofBen)
  t.deepEqual(await peersOf(t, ben), [node.port])
})

test.serial('what is taken back is off the list on both sides', async (t) => {
  const guests = async (): Promise<number> => {
    const invites = JSON.parse(await succeed(operator(t, ['invite', 'list', '--state', node.state, '--json'])))
    return (invites as { role: string; state: string }[]).filter(
      ({ role, state }) => role === 'guest' && state !== 'revoked',
    ).length
  }
  t.is(await guests(), 1)
  await succeed(member(t, ada, ['peer', 'withdraw', 'Ben']))
  t.is(await guests(), 0)
  await succeed(member(t, ben, ['recv']))
  t.deepEqual(await peersOf(t, ben), [])
  t.deepEqual(await json(member(t, ben, ['peer', '--json'])), [])
})

test.serial('who is blocked is let in no more, and whom one blocks is not connected to', async (t) => {
  await succeed(member(t, ada, ['peer', 'offer', 'Ben', '--yes']))
  await succeed(member(t, ben, ['recv']))
  await succeed(member(t, ben, ['peer', 'allow', 'Ada', '--yes']))
  t.deepEqual(await peersOf(t, ben), [node.port])
  await succeed(member(t, ben, ['contacts', 'block', 'Ada']))
  await succeed(member(t, ben, ['status']))
  t.deepEqual(await peersOf(t, ben), [])
  await succeed(member(t, ada, ['contacts', 'remove', 'Ben']))
  const ofAda = chatOf(t, ada)
  const open = async (): Promise<boolean> =>
    /guest/.test(await succeed(operator(t, ['invite', 'list', '--state', node.state])))
  t.true(await open())
  await ended(ofAda)
})
