import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { fileGrants } from './file-grants.ts'
import { temporaryFolder } from './fixtures/temporary.ts'

const CORE = '/state/core'
/** Ends with the hash of the above, so that each member has another. */
const DRAFT = '.sotto-part-faf53315'

test('files that the person has named, each alone', async (t) => {
  const folder = await realpath(await temporaryFolder(t))
  const file = join(folder, 'backup')
  await writeFile(file, '')
  await symlink(file, join(folder, 'link'))
  t.deepEqual(fileGrants(['identity', 'restore', '--file', join(folder, 'link')], CORE), { read: [file], write: [] })
  t.deepEqual(fileGrants(['identity', 'backup', `--file=${file}`], CORE), { read: [], write: [file] })
  t.deepEqual(fileGrants(['identity', 'dongle', join(folder, 'new')], CORE), { read: [], write: [join(folder, 'new')] })
  t.deepEqual(fileGrants(['profile', 'avatar', file], CORE), { read: [file], write: [] })
  t.deepEqual(fileGrants(['profile', 'avatar', '--remove'], CORE), { read: [], write: [] })
  t.deepEqual(fileGrants(['profile', 'save', 'Anna', '--to', join(folder, 'new')], CORE), {
    read: [],
    write: [join(folder, 'new')],
  })
  t.deepEqual(fileGrants(['chat', '--file', file], CORE), { read: [], write: [], folders: [] })
})

test('what is sent, and where it is saved', async (t) => {
  const folder = await realpath(await temporaryFolder(t))
  const file = join(folder, 'plan.pdf')
  await writeFile(file, '')
  await mkdir(join(folder, 'inner'))
  await symlink(join(folder, 'inner'), join(folder, 'link'))
  t.deepEqual(fileGrants(['send', 'Anna', '--file', file], CORE), { read: [file], write: [] })
  t.deepEqual(fileGrants(['send', 'Anna', '--', '--file', file], CORE), { read: [], write: [] })
  const [taken, draft] = [join(folder, 'new.pdf'), join(folder, `new.pdf${DRAFT}`)]
  t.deepEqual(fileGrants(['files', 'save', '1', '--to', taken], CORE), {
    read: [taken, draft],
    write: [taken, draft],
    folders: [],
  })
  const [link, inner] = [join(folder, 'link'), join(folder, 'inner')]
  const drafts = [join(link, DRAFT), join(inner, DRAFT)]
  t.deepEqual(fileGrants(['files', 'save', '1', '--into', link], CORE), {
    read: drafts,
    write: drafts,
    folders: [link, inner],
  })
  t.deepEqual(fileGrants(['chat', '--files', inner], CORE), { read: [inner], write: [], folders: [inner] })
  t.deepEqual(fileGrants(['files', 'list', '--to', inner], CORE), { read: [], write: [] })
})

test('no folder, and nothing that stands for many', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'inner'))
  await symlink(folder, join(folder, 'link'))
  for (const path of [folder, join(folder, 'inner'), join(folder, 'link'), '.', join(folder, '*')]) {
    for (const args of [
      ['restore', '--file', path],
      ['backup', '--file', path],
      ['dongle', path],
    ]) {
      t.throws(() => fileGrants(['identity', ...args], CORE), { code: 'E_USAGE' }, `${args.join(' ')}`)
    }
    t.throws(() => fileGrants(['send', 'Anna', '--file', path], CORE), { code: 'E_USAGE' })
  }
  t.throws(() => fileGrants(['chat', '--files', join(folder, '*')], CORE), { code: 'E_USAGE' })
  t.throws(() => fileGrants(['chat', '--files', join(folder, 'missing')], CORE), { code: 'E_USAGE' })
  t.throws(() => fileGrants(['files', 'save', '1', '--to', join(folder, '*')], CORE), { code: 'E_USAGE' })
  t.throws(() => fileGrants(['files', 'save', '1', '--to', folder], CORE), { code: 'E_USAGE' })
  t.throws(() => fileGrants(['files', 'save', '1', '--into', join(folder, 'missing')], CORE), { code: 'E_USAGE' })
})
