/** `sotto profile` as people meet it: a picture from one member's file to another's, through a gateway in a process of its own. */
import { readFileSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import jpeg from 'jpeg-js'
import { jsonLines, member, SharedOwner, startMember, temporaryFolder } from './helpers/command.ts'
import { pairOf, startedGateway, succeed } from './helpers/command-gateway.ts'

const owner = new SharedOwner()
let ada: string
let ben: string
let files: string

test.before(async () => {
  const gateway = await startedGateway(owner)
  ;[ada, ben] = await pairOf(owner, gateway, ['Ada', 'Ben'])
  // They have talked: who was never written to hears of no new card.
  await succeed(member(owner, ada, ['send', 'Ben', 'hello']))
  await succeed(member(owner, ben, ['send', 'Ada', 'hello, you']))
  await succeed(member(owner, ada, ['recv']))
  files = join(await temporaryFolder(owner), 'files')
  await mkdir(files)
})
test.after.always(() => owner.end())

const photo = (red: number): Buffer => {
  const data = Buffer.alloc(300 * 200 * 4, 255)
  for (let at = 0; at < data.length; at += 4) data.set([red, Math.floor(at / 1_000), 40], at)
  return jpeg.encode({ width: 300, height: 200, data }, 90).data
}
const readyOf = ({ state }: Record<string, unknown>): boolean =>
  (state as { kind?: string } | undefined)?.kind === 'ready'
const shown = async (state: string, ...args: string[]): Promise<Record<string, unknown>> =>
  jsonLines(await succeed(member(owner, state, ['profile', 'show', ...args, '--json'])))[0]!

test.serial('a picture is set, asked for, shown and saved by the other, and taken away again', async (t) => {
  t.timeout(300_000)
  const [me, copy] = [join(files, 'me.jpg'), join(files, 'ada.jpg')]
  await writeFile(me, photo(200))
  const set = jsonLines(await succeed(member(t, ada, ['profile', 'avatar', me, '--json'])))[0]!
  const { avatar } = set as { avatar: { hash: string; side: number; bytes: number } }
  t.is(avatar.side, 200)
  t.like(await shown(ada), { name: 'Ada', avatar })
  const early = await member(t, ben, ['profile', 'save', 'Ada', '--to', copy])
  t.regex(early.err, /^E_AVATAR_NONE: /)
  const chat = startMember(t, ada, ['chat', '--json'])
  await chat.told(readyOf, 'a connection')
  // The first run hears of the picture, at the latest; whoever is there answers at once.
  await succeed(member(t, ben, ['recv']))
  t.like(jsonLines(await succeed(member(t, ben, ['profile', 'fetch', 'Ada', '--json'])))[0]!, { avatar })
  t.regex(await succeed(member(t, ben, ['contacts'])), new RegExp(`Ada \\(.*picture ${avatar.hash.slice(0, 8)}\\)`))
  await succeed(member(t, ben, ['profile', 'save', 'Ada', '--to', copy]))
  t.is(statSync(copy).mode & 0o777, 0o600)
  const { width, height } = jpeg.decode(readFileSync(copy))
  t.deepEqual([width, height], [200, 200])
  const again = await member(t, ben, ['profile', 'save', 'Ada', '--to', copy])
  t.regex(again.err, /^E_FILE: /)
  chat.child.stdin.end()
  await chat.ended
  await succeed(member(t, ada, ['profile', 'avatar', '--remove']))
  await succeed(member(t, ben, ['recv']))
  t.like(await shown(ben, 'Ada'), { named: null })
  t.false('avatar' in (await shown(ben, 'Ada')))
})

test.serial('what cannot be shown is refused, and what was shown stays', async (t) => {
  const [good, bad] = [join(files, 'good.jpg'), join(files, 'bad.jpg')]
  await writeFile(good, photo(90))
  await writeFile(bad, photo(90).subarray(0, 900))
  await succeed(member(t, ben, ['profile', 'avatar', good]))
  const before = await shown(ben)
  const refused = await member(t, ben, ['profile', 'avatar', bad, '--json'])
  t.is(jsonLines(refused.err)[0]!.error && (jsonLines(refused.err)[0]!.error as { code: string }).code, 'E_AVATAR')
  for (const args of [[], [good, '--remove']]) {
    t.regex((await member(t, ben, ['profile', 'avatar', ...args])).err, /^E_USAGE: /)
  }
  t.deepEqual(await shown(ben), before)
  t.like(JSON.parse(await succeed(member(t, ben, ['profile', 'name', 'Benjamin', '--json']))), { name: 'Benjamin' })
  t.like(await shown(ben), { name: 'Benjamin', avatar: before.avatar })
})

test.serial('in a chat: a picture of the folder for files, and theirs as it comes', async (t) => {
  t.timeout(300_000)
  await writeFile(join(files, 'new.jpg'), photo(10))
  const [one, other] = [ada, ben].map((state) => startMember(t, state, ['chat', '--json', '--files', files]))
  await Promise.all([one, other].map((chat) => chat!.told(readyOf, 'a connection')))
  one!.say({ avatar: 'new.jpg' })
  const isNamed = ({ type, contact }: Record<string, unknown>): boolean =>
    type === 'contact' && typeof (contact as { avatar?: string }).avatar === 'string'
  const named = await other!.told(isNamed, 'the hash')
  const { id, avatar } = named.contact as { id: string; avatar: string }
  other!.say({ open: id })
  await other!.told(({ type, contact }) => {
    const { avatarHere } = (contact ?? {}) as { avatarHere?: boolean }
    return type === 'contact' && avatarHere === true
  }, 'the picture')
  other!.say({ face: id })
  const face = await other!.told(({ type }) => type === 'face', 'the picture')
  t.is((face.avatar as { hash: string }).hash, avatar)
  one!.say({ avatar: '../me.jpg' })
  await one!.told(({ type, error }) => type === 'error' && (error as { code?: string }).code === 'E_FILE', 'a refusal')
  for (const chat of [one, other]) {
    chat!.child.stdin.end()
    await chat!.ended
  }
})
