/** A release is the same octets wherever it is made, and whoever changes one is found. */
import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, [...args], { cwd, env: { ...process.env, ...env } }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err })
    })
  })
}

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sotto-release-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false']

/** A small project with the scripts of this one. */
async function project(t: ExecutionContext): Promise<string> {
  const path = await folder(t)
  await mkdir(join(path, 'scripts'))
  for (const name of ['release', 'verify']) {
    await copyFile(join(import.meta.dirname, '..', 'scripts', name), join(path, 'scripts', name))
    await chmod(join(path, 'scripts', name), 0o755)
  }
  await writeFile(join(path, 'package.json'), '{\n  "name": "sotto",\n  "version": "1.2.3"\n}\n')
  await writeFile(join(path, 'a file.txt'), 'one\r\ntwo\n')
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    [...identity, 'commit', '-qm', 'first'],
  ]) {
    t.is((await run('git', args, path)).code, 0)
  }
  return path
}

test('the same commit gives the same octets: another folder, clock, umask, time zone, and settings of git', async (t) => {
  const first = await project(t)
  const second = join(await folder(t), 'clone')
  t.is((await run('git', ['clone', '-q', first, second], first)).code, 0)
  await run('git', ['config', 'tar.umask', '0077'], second)
  await run('git', ['config', 'core.autocrlf', 'true'], second)
  await writeFile(join(second, 'not committed'), 'x')
  const [a, b] = [await folder(t), await folder(t)]
  t.is((await run('scripts/release', ['--out', a], first, { TZ: 'Asia/Tehran' })).code, 0)
  const other = `umask 077; exec scripts/release --out ${b} --commit HEAD`
  t.is((await run('sh', ['-c', other], second, { TZ: 'America/Lima', LC_ALL: 'C.UTF-8' })).code, 0)
  t.deepEqual((await readdir(a)).sort(), ['sotto-1.2.3.manifest', 'sotto-1.2.3.tar.gz'])
  for (const name of await readdir(a)) t.deepEqual(await readFile(join(a, name)), await readFile(join(b, name)), name)
  const manifest = await readFile(join(a, 'sotto-1.2.3.manifest'), 'utf8')
  t.regex(manifest, /^# sotto-1\.2\.3\n# commit [0-9a-f]{40}\n# tree [0-9a-f]{40}\n/)
  t.regex(manifest, /^[0-9a-f]{64} {2}sotto-1\.2\.3\/a file\.txt$/m)
  t.false(manifest.includes('not committed'))
})

test('another commit gives another archive; what cannot be is refused', async (t) => {
  const path = await project(t)
  const [a, b] = [await folder(t), await folder(t)]
  await run('scripts/release', ['--out', a], path)
  await writeFile(join(path, 'a file.txt'), 'one\r\ntwo!\n')
  await run('git', [...identity, 'commit', '-qam', 'second'], path)
  await run('scripts/release', ['--out', b], path)
  const archive = 'sotto-1.2.3.tar.gz'
  t.notDeepEqual(await readFile(join(a, archive)), await readFile(join(b, archive)))
  const c = await folder(t)
  await run('scripts/release', ['--out', c, '--commit', 'HEAD~1'], path)
  t.deepEqual(await readFile(join(a, archive)), await readFile(join(c, archive)))
  for (const args of [[], ['--out', a, '--commit', 'nowhere'], ['--out', a, '--key', '/nowhere'], ['--what']]) {
    t.is((await run('scripts/release', args, path)).code, 2)
  }
})

test('a signed release is verified; a changed file, archive, manifest or signer is found', async (t) => {
  if ((await run('ssh-keygen', ['-?'], '/')).err === '') {
    t.log('ssh-keygen is not here')
    t.pass()
    return
  }
  const path = await project(t)
  const place = await folder(t)
  const keys = await folder(t)
  for (const name of ['ours', 'theirs']) {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(keys, name)], keys)
    const key = await readFile(join(keys, `${name}.pub`), 'utf8')
    await writeFile(join(keys, `${name}.signers`), `release ${key}`)
  }
  const released = await run('scripts/release', ['--out', place, '--key', join(keys, 'ours')], path)
  t.is(released.code, 0, released.err)
  const manifest = join(place, 'sotto-1.2.3.manifest')
  const verify = (signers = 'ours') =>
    run('scripts/verify', ['--signers', join(keys, `${signers}.signers`), manifest], path)
  t.regex((await verify()).out, /^signed: commit [0-9a-f]{40}\nthe same: sotto-1\.2\.3\.tar\.gz\n$/)
  await run('tar', ['-xzf', 'sotto-1.2.3.tar.gz'], place)
  t.regex((await verify()).out, /the same: every file in sotto-1\.2\.3\n$/)
  t.regex((await verify('theirs')).err, /not signed by a key you trust/)

  const broken = async (file: string, change: (bytes: Buffer) => Buffer, told: RegExp): Promise<void> => {
    const good = await readFile(join(place, file))
    await writeFile(join(place, file), change(good))
    const { code, err } = await verify()
    t.is(code, 1, file)
    t.regex(err, told, file)
    await writeFile(join(place, file), good)
    t.is((await verify()).code, 0)
  }
  const flipped = (bytes: Buffer): Buffer =>
    Buffer.from(bytes.map((octet, i) => (i === bytes.length - 1 ? octet ^ 1 : octet)))
  await broken('sotto-1.2.3.manifest', flipped, /not signed/)
  await broken('sotto-1.2.3.tar.gz', flipped, /another one/)
  await broken('sotto-1.2.3/package.json', flipped, /another one/)
  await writeFile(join(place, 'sotto-1.2.3', 'more.ts'), '')
  t.regex((await verify()).err, /has what the release has not: sotto-1\.2\.3\/more\.ts/)
  await rm(join(place, 'sotto-1.2.3', 'more.ts'))
  await rm(join(place, 'sotto-1.2.3', 'a file.txt'))
  t.is((await verify()).code, 1)
})
