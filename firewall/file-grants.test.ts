import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type FileGrants, fileGrants as grants } from './file-grants.ts'
import { temporaryFolder } from './fixtures/temporary.ts'

const fileGrants = (args: readonly string[]): FileGrants => grants(args, '/state/core')
/** Ends with the hash of the above, so that each member has another. */
const DRAFT = '.sotto-part-faf53315'

test('files that the person has named, each alone', async (t) => {
  const folder = await realpath(await temporaryFolder(t))
  const file = join(folder, 'backup')
  await writeFile(file, '')
  await symlink(file, join(folder, 'link'))
  const link = join(folder, 'link')
  t.deepEqual(fileGrants(['identity', 'restore', '--file', link]), { read: [link, file], write: [] })
  t.deepEqual(fileGrants(['identity', 'restore', '--file', file]), { read: [file], write: [] })
  const made = (path: string): FileGrants => ({ read: [path + DRAFT], write: [path, path + DRAFT] })
  t.deepEqual(fileGrants(['identity', 'backup', `--file=${file}`]), made(file))
  t.deepEqual(fileGrants(['identity', 'backup', '--file', link]), made(link), 'what a link leads to is not written')
  const fresh = join(folder, 'new')
  t.deepEqual(fileGrants(['identity', 'dongle', fresh]), made(fresh))
  const options = ['--json', '--state', folder, fresh, '--fido2', '--device', '/dev/hidraw3']
  t.deepEqual(fileGrants(['identity', 'dongle', ...options]), made(fresh))
  t.deepEqual(fileGrants(['identity', 'dongle', '--fido2', '--', '-new']), made(join(process.cwd(), '-new')))
  t.deepEqual(fileGrants(['profile', 'avatar', file]), { read: [file], write: [] })
  t.deepEqual(fileGrants(['profile', 'avatar', '--remove']), { read: [], write: [] })
  t.deepEqual(fileGrants(['profile', 'save', 'Anna', '--to', fresh]), made(fresh))
  t.deepEqual(fileGrants(['card', '--file', fresh]), made(fresh))
  await mkdir(join(folder, 'inner'))
  await symlink(join(folder, 'inner'), join(folder, 'way'))
  const [byLink, real] = [join(folder, 'way', 'new'), join(folder, 'inner', 'new')]
  t.deepEqual(fileGrants(['identity', 'backup', '--file', byLink]), {
    read: [byLink + DRAFT, real + DRAFT],
    write: [byLink, real, byLink + DRAFT, real + DRAFT],
  })
  t.deepEqual(fileGrants(['chat', '--file', file]), { read: [], write: [], folders: [] })
})

test('what is sent, and where it is saved', async (t) => {
  const folder = await realpath(await temporaryFolder(t))
  const file = join(folder, 'plan.pdf')
  await writeFile(file, '')
  await mkdir(join(folder, 'inner'))
  await symlink(join(folder, 'inner'), join(folder, 'link'))
  t.deepEqual(fileGrants(['send', 'Anna', '--file', file]), { read: [file], write: [] })
  t.deepEqual(fileGrants(['send', 'Anna', '--', '--file', file]), { read: [], write: [] })
  const [taken, draft] = [join(folder, 'new.pdf'), join(folder, `new.pdf${DRAFT}`)]
  t.deepEqual(fileGrants(['files', 'save', '1', '--to', taken]), {
    read: [taken, draft],
    write: [taken, draft],
    folders: [],
  })
  const [link, inner] = [join(folder, 'link'), join(folder, 'inner')]
  const drafts = [join(link, DRAFT), join(inner, DRAFT)]
  t.deepEqual(fileGrants(['files', 'save', '1', '--into', link]), {
    read: drafts,
    write: drafts,
    folders: [link, inner],
  })
  t.deepEqual(fileGrants(['chat', '--files', inner]), { read: [inner], write: [], folders: [inner] })
  t.deepEqual(fileGrants(['files', 'list', '--to', inner]), { read: [], write: [] })
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
    t.throws(() => fileGrants(['send', 'Anna', '--file', path]), { code: 'E_USAGE' })
  }
  t.throws(() => fileGrants(['chat', '--files', join(folder, '*')]), { code: 'E_USAGE' })
  t.throws(() => fileGrants(['chat', '--files', join(folder, 'missing')]), { code: 'E_USAGE' })
  t.throws(() => fileGrants(['files', 'save', '1', '--to', join(folder, '*')]), { code: 'E_USAGE' })
  t.throws(() => fileGrants(['files', 'save', '1', '--to', folder]), { code: 'E_USAGE' })
  t.throws(() => fileGrants(['files', 'save', '1', '--into', join(folder, 'missing')]), { code: 'E_USAGE' })
})
