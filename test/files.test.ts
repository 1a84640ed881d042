/** Files between two members as people run them, through a gateway in a process of its own. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { jsonLines, member, SharedOwner, startMember, temporaryFolder } from './helpers/command.ts'
import { type GatewayProcess, pairOf, startedGateway, succeed } from './helpers/command-gateway.ts'

interface Ground {
  readonly gateway: GatewayProcess
  readonly ada: string
  readonly ben: string
  readonly files: string
}

const owner = new SharedOwner()
/** One for all: what people have is not made anew for each test. */
let ground: Ground

test.before(async () => {
  const gateway = await startedGateway(owner, undefined, ['downloads'])
  const [ada, ben] = await pairOf(owner, gateway, ['Ada', 'Ben'])
  const files = join(await temporaryFolder(owner), 'files')
  await mkdir(files)
  ground = { gateway, ada, ben, files }
})

test.after.always(() => owner.end())

const octetsBelow = (folder: string): Buffer =>
  Buffer.concat(
    (readdirSync(folder, { recursive: true }) as string[])
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path)),
  )

test.serial(
  'sent with a command, fetched and saved with another; neither state nor gateway has a readable octet of it',
  async (t) => {
    t.timeout(600_000)
    const { gateway, ada, ben, files } = ground
    const [content, plan] = [randomBytes(200_000), join(files, 'planted name.pdf')]
    await writeFile(plan, content)
    const out = await succeed(member(t, ada, ['send', 'Ben', '--file', plan, '--json']))
    t.like(jsonLines(out)[0], { state: 'done', name: 'planted name.pdf', size: 200_000, metadata: 'unseen' })
    await succeed(member(t, ben, ['recv']))
    const listed = await succeed(member(t, ben, ['files', '--json']))
    const [offer] = jsonLines(listed) as { id: string; state: string }[]
    t.is(offer!.state, 'offered')
    const searched = (): boolean[] =>
      [ada, ben, gateway.state].flatMap((folder) => {
        const octets = octetsBelow(folder)
        return [content.subarray(1_000, 1_016), 'planted name'].map((planted) => octets.includes(planted))
      })
    t.false(searched().includes(true), 'while it lies at the gateway')
    const saved = await succeed(member(t, ben, ['files', 'save', offer!.id.slice(0, 8), '--into', files, '--json']))
    const { path } = jsonLines(saved)[0] as { path: string }
    t.is(path, join(files, 'planted name (2).pdf'), 'nothing is overwritten')
    t.deepEqual(readFileSync(path), content)
    t.is(statSync(path).mode & 0o777, 0o600)
    t.deepEqual(readdirSync(files).sort(), ['planted name (2).pdf', 'planted name.pdf'], 'and no draft is left')
    t.false(searched().includes(true), 'while it is here')
    const taken = await member(t, ben, ['files', 'save', offer!.id, '--to', plan])
    t.regex(taken.err, /^E_FILE: /m)
    t.deepEqual(readFileSync(plan), content)
    await succeed(member(t, ben, ['files', 'cancel', offer!.id]))
    t.is(await succeed(member(t, ben, ['files', '--json'])), '')
  },
)

test.serial(
  'killed while it goes out, and while it comes, with the gateway killed in between: it goes on and is whole',
  async (t) => {
    t.timeout(600_000)
    const { gateway, ada, ben, files } = ground
    const [content, film] = [randomBytes(2_000_000), join(files, 'film.bin')]
    await writeFile(film, content)
    const isFilm = ({ type, file }: Record<string, unknown>): boolean =>
      type === 'file' && (file as { name: string }).name === 'film.bin'
    const arrivedSome = (line: Record<string, unknown>): boolean =>
      isFilm(line) && (line.file as { arrived: number }).arrived > 0

    const out = startMember(t, ada, ['chat', '--json', '--files', files])
    out.say({ file: 'Ben', path: 'film.bin' })
    await out.told(arrivedSome, 'pieces on their way')
    out.child.kill('SIGKILL')
    t.is((await out.ended).signal, 'SIGKILL')
    await gateway.stop('SIGKILL')
    await gateway.start()
    await succeed(member(t, ada, ['files', 'finish']))

    const came = startMember(t, ben, ['chat', '--json', '--files', files])
    const isFile = ({ type, message }: Record<string, unknown>): boolean =>
      type === 'message' && (message as { file?: object }).file !== undefined
    const { message } = (await came.told(isFile, 'the message')) as { message: { id: string } }
    came.say({ fetch: 'Ada', message: message.id })
    await came.told(arrivedSome, 'pieces that came')
    came.child.kill('SIGKILL')
    await came.ended
    await gateway.stop('SIGKILL')
    await gateway.start()

    const again = startMember(t, ben, ['chat', '--json', '--files', files])
    const isDone = (line: Record<string, unknown>): boolean =>
      isFilm(line) && (line.file as { state: string }).state === 'done'
    const { file } = (await again.told(isDone, 'all of it')) as { file: { id: string } }
    again.say({ save: file.id })
    const { path } = (await again.told(({ type }) => type === 'saved', 'its place')) as { path: string }
    t.deepEqual(readFileSync(path), content)
    again.child.stdin.end()
    t.is((await again.ended).status, 0)
  },
)

test.serial('what the command refuses, with its code; nothing is sent then', async (t) => {
  const { ada, files } = ground
  const refused = async (...args: string[]): Promise<string> => {
    const { status, err } = await member(t, ada, [...args, '--json'])
    t.not(status, 0)
    // The launcher says it in words, the core as JSON.
    return /E_[A-Z_]+/.exec(err)?.[0] ?? err
  }
  const before = await succeed(member(t, ada, ['files', '--json']))
  const broken = join(files, 'broken.jpg')
  await writeFile(broken, Buffer.from('ffd8ffe0001000', 'hex'))
  t.is(await refused('send', 'Ben', '--file', join(files, 'missing')), 'E_FILE')
  t.is(await refused('send', 'Ben', '--file', files), 'E_USAGE')
  t.is(await refused('send', 'Ben', '--file', broken), 'E_FILE_METADATA')
  t.is(await refused('send', 'Nobody', '--file', broken), 'E_CONTACT_UNKNOWN')
  t.is(await refused('files', 'save', 'abcd1234', '--into', files), 'E_FILE_UNKNOWN')
  t.is(await refused('files', 'cancel', 'abcd1234'), 'E_FILE_UNKNOWN')
  t.is(await refused('chat', '--files', ada), 'E_USAGE')
  t.deepEqual(await succeed(member(t, ada, ['files', '--json'])), before)
})
