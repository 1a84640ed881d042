import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { fileGrants } from './file-grants.ts'
import { temporaryFolder } from './fixtures/temporary.ts'

test('files that the person has named, each alone', async (t) => {
  const folder = await realpath(await temporaryFolder(t))
  const file = join(folder, 'backup')
  await writeFile(file, '')
  await symlink(file, join(folder, 'link'))
  t.deepEqual(fileGrants(['identity', 'restore', '--file', join(folder, 'link')]), { read: [file], write: [] })
  t.deepEqual(fileGrants(['identity', 'backup', `--file=${file}`]), { read: [], write: [file] })
  t.deepEqual(fileGrants(['identity', 'dongle', join(folder, 'new')]), { read: [], write: [join(folder, 'new')] })
  t.deepEqual(fileGrants(['chat', '--file', file]), { read: [], write: [] })
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
      t.throws(() => fileGrants(['identity', ...args]), { code: 'E_USAGE' }, `${args.join(' ')}`)
    }
  }
})
