import { chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { giveToOwner } from './owner.ts'

const isRoot = process.getuid?.() === 0

test('what root has made in somebody’s state folder is theirs, and nothing beside it', async (t) => {
  if (!isRoot) {
    t.pass('only root can give files away')
    return
  }
  const root = mkdtempSync(join(tmpdir(), 'sotto-owner-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  const [state, outside] = [join(root, 'state'), join(root, 'outside')]
  mkdirSync(join(state, 'store'), { recursive: true })
  for (const path of [outside, join(state, 'gateways.list'), join(state, 'store/data.mdb')]) writeFileSync(path, 'x')
  symlinkSync(outside, join(state, 'link'))
  writeFileSync(join(state, 'other'), 'x')
  chownSync(join(state, 'other'), 4_711, 4_711)
  const ownerOf = (name: string): number => lstatSync(join(root, name)).uid

  await giveToOwner(state)
  t.is(ownerOf('state/gateways.list'), 0, 'root’s own folder stays root’s')
  chownSync(state, 4_712, 4_712)
  await giveToOwner(state, 4_713)
  t.is(ownerOf('state/gateways.list'), 0, 'who is not root gives nothing')
  await giveToOwner(state)
  for (const name of ['gateways.list', 'store', 'store/data.mdb', 'link']) t.is(ownerOf(`state/${name}`), 4_712, name)
  t.is(ownerOf('state/other'), 4_711)
  t.is(ownerOf('outside'), 0)
  await t.notThrowsAsync(giveToOwner(join(root, 'nothing')))
})
