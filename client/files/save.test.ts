import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { temporaryFolder } from '#client/store/fixtures/temporary.ts'
import { SottoError } from '#protocol/errors.ts'
import { saveAs, saveInto } from './save.ts'

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
    t.is(await saveInto(folder, 'a.txt', parts('one', name)), join(folder, name))
  t.is(readFileSync(join(folder, 'a (3).txt'), 'utf8'), 'onea (3).txt')
  t.is(statSync(join(folder, 'a.txt')).mode & 0o777, 0o600)
  t.is(readdirSync(folder).length, 3)
})

test('under a path: never over what is there, be it a link that leads nowhere', async (t) => {
  const folder = temporaryFolder(t)
  const [path, link] = [join(folder, 'a'), join(folder, 'link')]
  writeFileSync(path, 'mine')
  symlinkSync(join(folder, 'elsewhere'), link)
  for (const taken of [path, link]) await t.throwsAsync(saveAs(taken, parts('theirs')), { code: 'E_FILE' })
  t.is(readFileSync(path, 'utf8'), 'mine')
  t.false(existsSync(join(folder, 'elsewhere')))
  t.is(await saveAs(join(folder, 'b'), parts('theirs')), join(folder, 'b'))
  t.deepEqual(readdirSync(folder).sort(), ['a', 'b', 'link'])
})

test('what breaks off leaves nothing, and what an earlier try left is no hindrance', async (t) => {
  const folder = temporaryFolder(t)
  await t.throwsAsync(saveInto(folder, 'a', breaking()), { code: 'E_FILE_DAMAGED' })
  await t.throwsAsync(saveAs(join(folder, 'a'), breaking()), { code: 'E_FILE_DAMAGED' })
  t.deepEqual(readdirSync(folder), [])
  writeFileSync(join(folder, '.sotto-part'), 'left')
  writeFileSync(join(folder, 'a.sotto-part'), 'left')
  await saveInto(folder, 'b', parts('whole'))
  await saveAs(join(folder, 'a'), parts('whole'))
  t.deepEqual(readdirSync(folder).sort(), ['a', 'b'])
})

test('several at once into one folder: each name gets its own content', async (t) => {
  const folder = temporaryFolder(t)
  async function* slowly(text: string): AsyncGenerator<Uint8Array> {
    for (const letter of text) {
      yield Buffer.from(letter)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const texts = ['first of all', 'second', 'the third']
  const [first, ...others] = texts.map((text) => saveInto(folder, 'a', slowly(text)))
  const broken = t.throwsAsync(saveInto(folder, 'a', breaking()), { code: 'E_FILE_DAMAGED' })
  const after = saveAs(join(folder, 'b'), slowly('beside them'))
  const paths = await Promise.all([first!, ...others, after])
  await broken
  t.deepEqual(
    paths.map((path) => readFileSync(path, 'utf8')),
    [...texts, 'beside them'],
  )
  t.deepEqual(readdirSync(folder).sort(), ['a', 'a (2)', 'a (3)', 'b'])
})

test('a draft is no way to write elsewhere: a link in its place is removed', async (t) => {
  const folder = temporaryFolder(t)
  const victim = join(folder, 'victim')
  writeFileSync(victim, 'mine')
  symlinkSync(victim, join(folder, '.sotto-part'))
  await saveInto(folder, 'b', parts('theirs'))
  t.is(readFileSync(victim, 'utf8'), 'mine')
})

test('a folder that is not there, and a full disk', async (t) => {
  await t.throwsAsync(saveInto(join(temporaryFolder(t), 'missing'), 'a', parts('x')), { code: 'E_FILE' })
  const folder = temporaryFolder(t)
  async function* full(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('x')
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  }
  await t.throwsAsync(saveInto(folder, 'a', full()), { code: 'E_DISK_FULL' })
  t.deepEqual(readdirSync(folder), [])
})
