import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { temporaryFolder } from '#client/store/fixtures/temporary.ts'
import { draftIn, draftOf } from '#firewall/file-grants.ts'
import { SottoError } from '#protocol/errors.ts'
import { saveAs, saveInto, type Where } from './save.ts'

const CORE = '/state of Ada/core'
const at = (folder: string): Where => ({ folder, core: CORE })

async function* parts(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half')
  throw new SottoError('E_FILE_DAMAGED', 'not what was sent')
}

test('into a folder: under its name, then with numbers, 0600, and no draft is left', async (t) => {
  const folder = temporaryFolder(t)
  for (const name of ['a.txt', 'a (2).txt', 'a (3).txt'])
    t.is(await saveInto(at(folder), 'a.txt', parts('one', name)), join(folder, name))
  t.is(readFileSync(join(folder, 'a (3).txt'), 'utf8'), 'onea (3).txt')
  t.is(statSync(join(folder, 'a.txt')).mode & 0o777, 0o600)
  t.is(readdirSync(folder).length, 3)
})

test('under a path: never over what is there, be it a link that leads nowhere', async (t) => {
  const folder = temporaryFolder(t)
  const [path, link] = [join(folder, 'a'), join(folder, 'link')]
  writeFileSync(path, 'mine')
  symlinkSync(join(folder, 'elsewhere'), link)
  for (const taken of [path, link])
    await t.throwsAsync(saveAs({ path: taken, core: CORE }, parts('theirs')), { code: 'E_FILE' })
  t.is(readFileSync(path, 'utf8'), 'mine')
  t.false(existsSync(join(folder, 'elsewhere')))
  t.is(await saveAs({ path: join(folder, 'b'), core: CORE }, parts('theirs')), join(folder, 'b'))
  t.deepEqual(readdirSync(folder).sort(), ['a', 'b', 'link'])
})

test('what breaks off leaves nothing, and what an earlier try left is no hindrance', async (t) => {
  const folder = temporaryFolder(t)
  await t.throwsAsync(saveInto(at(folder), 'a', breaking()), { code: 'E_FILE_DAMAGED' })
  await t.throwsAsync(saveAs({ path: join(folder, 'a'), core: CORE }, breaking()), { code: 'E_FILE_DAMAGED' })
  t.deepEqual(readdirSync(folder), [])
  writeFileSync(draftIn(folder, CORE), 'left')
  writeFileSync(draftOf(join(folder, 'a'), CORE), 'left')
  await saveInto(at(folder), 'b', parts('whole'))
  await saveAs({ path: join(folder, 'a'), core: CORE }, parts('whole'))
  t.deepEqual(readdirSync(folder).sort(), ['a', 'b'])
})

async function* slowly(text: string): AsyncGenerator<Uint8Array> {
  for (const letter of text) {
    yield Buffer.from(letter)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('several at once into one folder: each name gets its own content', async (t) => {
  const folder = temporaryFolder(t)
  const texts = ['first of all', 'second', 'the third']
  const [first, ...others] = texts.map((text) => saveInto(at(folder), 'a', slowly(text)))
  const broken = t.throwsAsync(saveInto(at(folder), 'a', breaking()), { code: 'E_FILE_DAMAGED' })
  const after = saveAs({ path: join(folder, 'b'), core: CORE }, slowly('beside them'))
  const paths = await Promise.all([first!, ...others, after])
  await broken
  t.deepEqual(
    paths.map((path) => readFileSync(path, 'utf8')),
    [...texts, 'beside them'],
  )
  t.deepEqual(readdirSync(folder).sort(), ['a', 'a (2)', 'a (3)', 'b'])
})

test('two members at once into one folder, each a process of its own: neither takes the draft of the other', async (t) => {
  const folder = temporaryFolder(t)
  // One process has no two members: this is the other one's, as another instance of the module.
  const other: typeof import('./save.ts') = await import(`./save.ts?${randomUUID()}`)
  const theirs = { folder, core: '/state of Ben/core' }
  const [own, second] = await Promise.all([
    saveInto(at(folder), 'a', slowly('of Ada')),
    other.saveInto(theirs, 'a', slowly('for Ben, and longer')),
  ])
  t.is(readFileSync(own, 'utf8'), 'of Ada')
  t.is(readFileSync(second, 'utf8'), 'for Ben, and longer')
  const path = join(folder, 'b')
  const both = await Promise.allSettled([
    saveAs({ path, core: CORE }, slowly('of Ada')),
    other.saveAs({ path, core: theirs.core }, slowly('for Ben, and longer')),
  ])
  t.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.is(readFileSync(path, 'utf8'), 'of Ada')
  t.deepEqual(readdirSync(folder).sort(), ['a', 'a (2)', 'b'])
})

test('a draft is no way to write elsewhere: a link in its place is removed', async (t) => {
  const folder = temporaryFolder(t)
  const victim = join(folder, 'victim')
  writeFileSync(victim, 'mine')
  symlinkSync(victim, draftIn(folder, CORE))
  await saveInto(at(folder), 'b', parts('theirs'))
  t.is(readFileSync(victim, 'utf8'), 'mine')
})

test('a folder that is not there, and a full disk', async (t) => {
  await t.throwsAsync(saveInto(at(join(temporaryFolder(t), 'missing')), 'a', parts('x')), { code: 'E_FILE' })
  const folder = temporaryFolder(t)
  async function* full(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('x')
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  }
  await t.throwsAsync(saveInto(at(folder), 'a', full()), { code: 'E_DISK_FULL' })
  t.deepEqual(readdirSync(folder), [])
})
