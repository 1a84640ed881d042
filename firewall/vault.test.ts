import { chmod, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { concat, hex, utf8 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { SottoError } from '#protocol/errors.ts'
import { encodeMessage } from '#protocol/services/codec.ts'
import { offerBy } from './fixtures/offers.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { privateFolder, readPrivate, replacePrivate } from './folder.ts'
import type { Kept } from './journal.ts'
import { nothingKept } from './journal.ts'
import { PolicyLimits } from './limits.ts'
import { NO_EXPIRY } from './permit.ts'
import type { Endpoint, Endpoints } from './policy.ts'
import { Vault } from './vault.ts'

function endpoint(id: string, changes: Partial<Endpoint> = {}): Endpoint {
  return {
    ...{ id, kind: 'gateway', name: 'Friends', host: 'g.example.org', port: 443, template: 'plain' },
    ...{ expires: NO_EXPIRY, source: 'invite', addresses: ['192.0.2.1', '2001:db8::1'] },
    ...{ key: randomBytes(32), cohort: randomBytes(32), certificate: undefined, invite: randomBytes(16) },
    ...{ code: randomBytes(16), credential: { id: randomBytes(16), key: randomBytes(32) } },
    ...changes,
  }
}

const listOf = (...endpoints: Endpoint[]) => new Map(endpoints.map((each) => [each.id, each]))
const kept = (endpoints: Endpoints): Kept => ({ ...nothingKept, endpoints })
const keeping =
  (...endpoints: Endpoint[]) =>
  (): Kept =>
    kept(listOf(...endpoints))
const code = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )

test('what was stored is there again', async (t) => {
  const folder = await temporaryFolder(t)
  const list = listOf(
    endpoint('a'),
    endpoint('b', { certificate: randomBytes(32), code: undefined, addresses: [], root: randomBytes(32) }),
  )
  const vault = await Vault.open(folder, randomBytes)
  t.is(vault.endpoints.size, 0)
  await vault.update(() => kept(list))
  await vault.close()
  t.deepEqual((await Vault.open(folder, randomBytes)).endpoints, list)
})

test('files are for their owner alone, and show none of the secrets', async (t) => {
  const folder = await temporaryFolder(t)
  const secret = endpoint('a')
  await (await Vault.open(folder, randomBytes)).update(keeping(secret))
  t.deepEqual((await readdir(folder)).sort(), ['vault', 'vault.key'])
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    t.is((await stat(path)).mode & 0o777, 0o600)
    const content = (await readFile(path)).toString('hex')
    for (const part of [secret.key, secret.cohort, secret.credential.key, secret.credential.id, secret.code!]) {
      t.false(content.includes(hex(part)))
    }
    t.false(content.includes(Buffer.from('example').toString('hex')))
  }
})

test('no octet of the vault or its key may change', async (t) => {
  const folder = await temporaryFolder(t)
  await (await Vault.open(folder, randomBytes)).update(keeping(endpoint('a')))
  for (const name of ['vault', 'vault.key']) {
    const path = join(folder, name)
    const good = await readFile(path)
    for (let at = 0; at < good.length; at += name === 'vault' ? 7 : 1) {
      const bad = Buffer.from(good)
      bad[at]! ^= 1
      await writeFile(path, bad)
      t.is(await code(Vault.open(folder, randomBytes)), 'E_STATE_UNREADABLE', `${name} octet ${at}`)
      t.deepEqual(await readFile(path), bad, 'left as it was')
    }
    await writeFile(path, good)
  }
  t.is((await Vault.open(folder, randomBytes)).endpoints.size, 1)
})

test('a vault without its key, cut off, of another version or too large is refused and left alone', async (t) => {
  const folder = await temporaryFolder(t)
  await (await Vault.open(folder, randomBytes)).update(keeping(endpoint('a')))
  const [path, keyPath] = [join(folder, 'vault'), join(folder, 'vault.key')]
  const [good, key] = [await readFile(path), await readFile(keyPath)]
  const others = [
    new Uint8Array(0),
    good.subarray(0, 24),
    good.subarray(0, -1),
    concat(good, Uint8Array.of(0)),
    new Uint8Array(300_000),
  ]
  for (const bad of others) {
    await writeFile(path, bad)
    t.is(await code(Vault.open(folder, randomBytes)), 'E_STATE_UNREADABLE')
    t.deepEqual(await readFile(path), Buffer.from(bad))
  }
  await writeFile(path, good)
  for (const bad of [key.subarray(1), concat(key, key)]) {
    await writeFile(keyPath, bad)
    t.is(await code(Vault.open(folder, randomBytes)), 'E_STATE_UNREADABLE')
  }
  await rm(keyPath)
  t.is(await code(Vault.open(folder, randomBytes)), 'E_STATE_UNREADABLE')
  t.deepEqual(await readdir(folder), ['vault'], 'no new key was made')
})

test('what takes changes back is there again, and so are the lists', async (t) => {
  const folder = await temporaryFolder(t)
  const change = (kind: 'forgotten' | 'listed', ...removed: Endpoint[]) => ({ at: 7, kind, added: ['z'], removed })
  const all: Kept = {
    endpoints: listOf(endpoint('a'), endpoint('b')),
    lists: [{ root: randomBytes(32), version: 9 }],
    offers: [{ name: 'Ada', offer: offerBy(1) }],
    changes: [change('forgotten', endpoint('c'), endpoint('d')), change('listed'), change('forgotten', endpoint('e'))],
  }
  await (await Vault.open(folder, randomBytes)).update(() => all)
  t.deepEqual((await Vault.open(folder, randomBytes)).kept, all)
  const looked = await Vault.look(folder)
  t.deepEqual(looked?.kept, all)
  t.is(await code(looked!.update(() => nothingKept)), 'E_FIREWALL_GONE', 'who only looks does not write')
  t.is(await Vault.look(await temporaryFolder(t)), undefined)
})

test('a full vault of the longest fields fits its file', async (t) => {
  const folder = await temporaryFolder(t)
  const wide = (id: string): Endpoint =>
    endpoint(id.padEnd(16, 'x'), {
      ...{ name: '\u{1F600}'.repeat(32), host: `${'a'.repeat(62)}.`.repeat(4), template: 'x'.repeat(32) },
      ...{
        addresses: Array.from({ length: 4 }, () => '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'),
        root: randomBytes(32),
      },
      certificate: randomBytes(32),
    })
  const many = (count: number, mark: string): Endpoint[] => Array.from({ length: count }, (_, i) => wide(`${mark}${i}`))
  const removed = many(PolicyLimits.keptRemovals, 'r')
  const changes = Array.from({ length: PolicyLimits.changes }, (_, i) => ({
    ...{ at: Number.MAX_SAFE_INTEGER, kind: 'forgotten' as const, added: many(8, 'a').map(({ id }) => id) },
    removed: removed.slice(2 * i, 2 * i + 2),
  }))
  const lists = Array.from({ length: PolicyLimits.lists }, () => ({ root: randomBytes(32), version: 0xffffffff }))
  const offers = Array.from({ length: PolicyLimits.peers }, (_, i) => ({
    name: '\u{1F600}'.repeat(32),
    offer: offerBy(i),
  }))
  const all: Kept = { endpoints: listOf(...many(PolicyLimits.endpoints, 'e')), lists, offers, changes }
  await (await Vault.open(folder, randomBytes)).update(() => all)
  t.is((await Vault.open(folder, randomBytes)).endpoints.size, PolicyLimits.endpoints)
})

test('a vault of the first version opens, and is written anew as the second', async (t) => {
  const folder = await temporaryFolder(t)
  const old = endpoint('a')
  const [key, nonce] = [randomBytes(32), randomBytes(24)]
  const { certificate: _, ...rest } = old
  const associated = concat(utf8('sotto/1/vault'), Uint8Array.of(1))
  const box = xchacha20poly1305.seal(key, nonce, encodeMessage([{ ...rest, certificate: null }]), associated)
  await replacePrivate(join(folder, 'vault.key'), key)
  await replacePrivate(join(folder, 'vault'), concat(Uint8Array.of(1), nonce, box))
  const vault = await Vault.open(folder, randomBytes)
  t.deepEqual(vault.kept, kept(listOf(old)))
  await vault.update(keeping(old, endpoint('b')))
  t.is((await readFile(join(folder, 'vault')))[0], 2)
  t.deepEqual([...(await Vault.open(folder, randomBytes)).endpoints.keys()], ['a', 'b'])
})

test('changes queue up, each on top of the one before', async (t) => {
  const vault = await Vault.open(await temporaryFolder(t), randomBytes)
  const ids = Array.from({ length: 20 }, (_, i) => `e${i}`)
  await Promise.all(ids.map((id) => vault.update(({ endpoints }) => kept(new Map(endpoints).set(id, endpoint(id))))))
  t.deepEqual([...vault.endpoints.keys()], ids)
})

test('a change that fails leaves the list, on disk and in memory, and the next one works', async (t) => {
  const folder = await temporaryFolder(t)
  const vault = await Vault.open(folder, randomBytes)
  await vault.update(keeping(endpoint('a')))
  await t.throwsAsync(
    vault.update(() => {
      throw new Error('no')
    }),
    { message: 'no' },
  )
  await symlink('/nowhere', join(folder, 'vault.next'))
  t.is(await code(vault.update(keeping(endpoint('b')))), 'E_STATE_UNREADABLE')
  t.deepEqual([...vault.endpoints.keys()], ['a'])
  t.deepEqual([...(await Vault.open(folder, randomBytes)).endpoints.keys()], ['a'])
  await rm(join(folder, 'vault.next'))
  await vault.update(keeping(endpoint('c')))
  t.deepEqual([...(await Vault.open(folder, randomBytes)).endpoints.keys()], ['c'])
})

test('a left-over of a crash in the middle of writing does not matter', async (t) => {
  const folder = await temporaryFolder(t)
  await (await Vault.open(folder, randomBytes)).update(keeping(endpoint('a')))
  await writeFile(join(folder, 'vault.next'), 'half of')
  const vault = await Vault.open(folder, randomBytes)
  t.deepEqual([...vault.endpoints.keys()], ['a'])
  await vault.update(keeping(endpoint('b')))
  t.deepEqual([...(await Vault.open(folder, randomBytes)).endpoints.keys()], ['b'])
})

test('after closing nothing is written any more', async (t) => {
  const folder = await temporaryFolder(t)
  const vault = await Vault.open(folder, randomBytes)
  const last = vault.update(keeping(endpoint('a')))
  const closing = vault.close()
  t.is(await code(vault.update(keeping(endpoint('b')))), 'E_FIREWALL_GONE')
  await Promise.all([last, closing])
  t.is(await code(vault.update(keeping(endpoint('c')))), 'E_FIREWALL_GONE')
  t.deepEqual([...(await Vault.open(folder, randomBytes)).endpoints.keys()], ['a'])
})

test('two vaults never seal alike', async (t) => {
  const folder = await temporaryFolder(t)
  const vault = await Vault.open(folder, randomBytes)
  const list = listOf(endpoint('a'))
  await vault.update(() => kept(list))
  const first = await readFile(join(folder, 'vault'))
  await vault.update(() => kept(new Map(list)))
  t.notDeepEqual(first.subarray(1, 25), (await readFile(join(folder, 'vault'))).subarray(1, 25))
})

test('private files: others may not read them, links are not followed', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'file')
  t.is(await readPrivate(path, 10), undefined)
  await replacePrivate(path, Uint8Array.of(1, 2, 3))
  t.deepEqual(await readPrivate(path, 3), Uint8Array.of(1, 2, 3))
  t.is(await code(readPrivate(path, 2)), 'E_STATE_UNREADABLE')
  await chmod(path, 0o640)
  t.is(await code(readPrivate(path, 10)), 'E_STATE_UNREADABLE')
  await symlink(path, join(folder, 'link'))
  t.is(await code(readPrivate(join(folder, 'link'), 10)), 'E_STATE_UNREADABLE')
})

test('private folders are closed to others, and are no links or files', async (t) => {
  const folder = join(await temporaryFolder(t), 'a', 'b')
  await privateFolder(folder)
  await chmod(folder, 0o755)
  await privateFolder(folder)
  t.is((await stat(folder)).mode & 0o777, 0o700)
  await writeFile(join(folder, 'file'), '')
  t.is(await code(privateFolder(join(folder, 'file'))), 'E_STATE_UNREADABLE')
  await symlink(folder, join(folder, 'link'))
  t.is(await code(privateFolder(join(folder, 'link'))), 'E_STATE_UNREADABLE')
})
