/** Nothing of what people said, and no name, lies readable anywhere once everything is stopped; and nobody else may read the files. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import test from 'ava'
import { parseInvite } from '#protocol/invite.ts'
import type { Outcome } from './helpers/command.ts'
import { jsonLines, member, startMember } from './helpers/command.ts'
import { pairOf, startedGateway, succeed } from './helpers/command-gateway.ts'

/** Long enough that chance does not make them. */
const planted = {
  name: 'Wilhelmina Quistgaard',
  otherName: 'Bartholomäus Zyskind',
  petname: 'my dear Wombatcousin',
  message: 'the parcel lies under the third sycamore',
  answer: 'Grüße, ich bringe Quittenmarmelade mit',
  file: '%PDF-1.7\n1 0 obj\n<< /Title (minutes of the plenary assembly) >>\nendobj',
  secret: 'we planted walnuts behind the chapel',
  pending: 'never sent because everything was stopped',
} as const

/** The ways a text may lie about: its middle, so that no beginning or end of a field hides it. */
function spellings(text: string): Map<string, Buffer> {
  const from = Math.floor(text.length / 4)
  const middle = text.slice(from, from + Math.max(12, Math.floor(text.length / 2)))
  const utf8 = Buffer.from(middle)
  const spelled = new Map([
    ['UTF-8', utf8],
    ['UTF-16LE', Buffer.from(middle, 'utf16le')],
    ['UTF-16BE', Buffer.from(middle, 'utf16le').swap16()],
  ])
  addEncoded(spelled, utf8)
  return spelled
}

function addEncoded(spelled: Map<string, Buffer>, octets: Buffer): void {
  spelled.set('hex', Buffer.from(octets.toString('hex')))
  spelled.set('HEX', Buffer.from(octets.toString('hex').toUpperCase()))
  for (const encoding of ['base64', 'base64url'] as const) {
    // Whole groups of three octets look the same wherever they stand, but for where the grouping begins.
    for (const shift of [0, 1, 2]) {
      const whole = octets.subarray(shift, shift + Math.floor((octets.length - shift) / 3) * 3)
      spelled.set(`${encoding} ${shift}`, Buffer.from(whole.toString(encoding)))
    }
  }
}

function spellingsOfSecret(secret: Uint8Array): Map<string, Buffer> {
  const octets = Buffer.from(secret)
  const spelled = new Map([['raw', octets]])
  addEncoded(spelled, octets)
  return spelled
}

/** Where one of the spellings stands. */
function finds(content: Buffer, where: string, wanted: ReadonlyMap<string, ReadonlyMap<string, Buffer>>): string[] {
  const found: string[] = []
  for (const [name, spelled] of wanted) {
    for (const [spelling, octets] of spelled)
      if (content.includes(octets)) found.push(`${name} in ${spelling}: ${where}`)
  }
  return found
}

interface Entry {
  readonly path: string
  readonly folder: boolean
  readonly mode: number
}

function entriesOf(root: string): Entry[] {
  const inside = readdirSync(root, { recursive: true }) as string[]
  return [root, ...inside.map((name) => join(root, name))].map((path) => {
    const stats = lstatSync(path)
    return { path, folder: stats.isDirectory(), mode: stats.mode & 0o777 }
  })
}

test('the search finds what is there', (t) => {
  const wanted = new Map([['planted', spellings(planted.answer)]])
  const lines = [
    Buffer.from(planted.answer),
    Buffer.from(planted.answer, 'utf16le'),
    Buffer.from(Buffer.from(planted.answer).toString('hex')),
    ...[0, 1, 2].map((pad) => Buffer.from(Buffer.from('#'.repeat(pad) + planted.answer).toString('base64'))),
  ]
  for (const line of lines) t.is(finds(Buffer.concat([Buffer.from('..'), line]), 'here', wanted).length > 0, true)
  t.deepEqual(finds(Buffer.from('nothing of the kind'), 'here', wanted), [])
})

test('after a conversation nothing planted is found in any file or log, and files are private', async (t) => {
  const gateway = await startedGateway(t)
  const links: string[] = []
  const remember = (link: string): string => {
    links.push(link)
    return link
  }
  const outcomes: Outcome[] = []
  const [ada, ben] = await pairOf(t, gateway, [planted.name, planted.otherName], remember)
  await succeed(member(t, ben, ['contacts', 'rename', 'Wil', planted.petname]))
  const chat = startMember(t, ben, ['chat', '--json'])
  const hears = (wanted: string): Promise<unknown> =>
    chat.told(({ type, message }) => type === 'message' && (message as { text: string }).text === wanted, wanted)
  for (const text of [planted.message, planted.file]) {
    outcomes.push(await member(t, ada, ['send', 'Bartho'], text))
    await hears(text)
  }
  chat.say({ to: planted.petname, text: planted.answer })
  await chat.told(({ type, status }) => type === 'receipt' && status === 'sent', 'a message on its way')
  chat.say({ same: planted.petname, secret: planted.secret })
  chat.child.stdin.end()
  outcomes.push(await chat.ended)
  await succeed(member(t, ada, ['recv']))
  // Waits in the gateway's store and in the outbox while everything is stopped.
  outcomes.push(await member(t, ada, ['send', 'Bartho', planted.pending]))
  outcomes.push(await member(t, ada, ['status']), await member(t, ada, ['contacts', 'dance']))
  t.true(jsonLines(chat.out).length > 0)
  await gateway.stop()

  const wanted = new Map<string, ReadonlyMap<string, Buffer>>(
    Object.entries(planted).map(([name, text]) => [name, spellings(text)] as const),
  )
  for (const link of links) {
    const { code, gateways } = parseInvite(link, Date.now())
    wanted.set('link', new Map([['text', Buffer.from(link.slice(20, 80))]]))
    t.deepEqual(searched(), [])
    wanted.set('code', spellingsOfSecret(code))
    wanted.set('cohort', spellingsOfSecret(gateways[0]!.cohort))
    t.deepEqual(searched(), [])
  }

  function searched(): string[] {
    const roots = [gateway.state, ada, ben]
    const files = roots.flatMap(entriesOf).filter(({ folder }) => !folder)
    t.true(files.length > 15)
    const logs = [gateway.log(), ...outcomes.map(({ err }) => err)].map((text) => ['a log', Buffer.from(text)] as const)
    const contents = [...files.map(({ path }) => [path, readFileSync(path)] as const), ...logs]
    return contents.flatMap(([where, content]) => finds(content, where, wanted))
  }

  // Public by nature (the website is everybody's), in a folder that only the owner enters.
  const open = new Set(['gateway.yaml', 'certificate.pem', 'pack-root.pub'].map((name) => join(gateway.state, name)))
  for (const { path, folder, mode } of [gateway.state, ada, ben].flatMap(entriesOf)) {
    const name = relative(dirname(gateway.state), path)
    if (open.has(path) || `${name}/`.startsWith('gateway/site/')) continue
    t.is(mode, folder ? 0o700 : 0o600, name)
  }
})
