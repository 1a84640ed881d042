/** `sotto identity` as people meet it: backups in every form, made, proven and restored by the program itself. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import type { Outcome } from './helpers/command.ts'
import { jsonLines, member, temporaryFolder } from './helpers/command.ts'

const PASSWORD = 'a password of some length\n'

interface Home {
  readonly folder: string
  readonly state: string
  readonly uid: string
  run(args: readonly string[], input?: string): Promise<Outcome>
}

async function home(t: ExecutionContext): Promise<Home> {
  const folder = await temporaryFolder(t)
  const state = join(folder, 'state')
  const run: Home['run'] = (args, input) => member(t, state, ['identity', ...args, '--json'], input)
  const { out, err, status } = await run(['new', '--name', 'Ada'])
  t.is(status, 0, err)
  return { folder, state, run, uid: jsonLines(out)[0]!.uid as string }
}

/** What a command printed, once it has succeeded. */
function told(t: ExecutionContext, { status, out, err }: Outcome): Record<string, unknown> {
  t.is(status, 0, err)
  return jsonLines(out)[0]!
}

function code({ out, err }: Outcome): unknown {
  return out === '' ? (jsonLines(err)[0]?.error as { code: string } | undefined)?.code : out
}

test('a file: made once, proven, restored elsewhere as the same person; then the device has no master secret', async (t) => {
  const { folder, state, run, uid } = await home(t)
  const file = join(folder, 'backup.txt')
  told(t, await run(['backup', '--file', file], PASSWORD))
  t.is(statSync(file).mode & 0o777, 0o600)
  const kept = readFileSync(file)
  t.is(code(await run(['backup', '--file', file], PASSWORD)), 'E_FILE', 'what is there is not overwritten')
  t.deepEqual(readFileSync(file), kept)

  t.is(code(await run(['prove', '--file', file], 'another password\n')), 'E_BACKUP_LOCKED')
  t.is(told(t, await run(['show'])).backedUp, false)
  told(t, await run(['prove', '--file', file], PASSWORD))
  t.is(told(t, await run(['show'])).backedUp, true)
  t.is(code(await run(['backup', '--file', join(folder, 'second')], PASSWORD)), 'E_IDENTITY_BACKED_UP')
  t.is(code(await run(['restore', '--file', file], PASSWORD)), 'E_IDENTITY_EXISTS')
  t.deepEqual(readdirSync(folder).sort(), ['backup.txt', 'state'], 'nothing is left beside it')

  const elsewhere = await member(
    t,
    `${state}-2`,
    ['identity', 'restore', '--file', file, '--name', 'Ada', '--json'],
    PASSWORD,
  )
  t.is(told(t, elsewhere).uid, uid)
  const shown = told(t, await member(t, `${state}-2`, ['identity', '--json']))
  t.is(shown.uid, uid)
  t.is(shown.backedUp, true)
  t.regex(shown.id as string, /^(?:[A-Z2-7]{4} ){13}[A-Z2-7]{4}$/)
})

test('three pictures of codes, any two enough; with a dongle and no password', async (t) => {
  const { folder, state, run, uid } = await home(t)
  // As a stick may be mounted: behind a link.
  mkdirSync(join(folder, 'media'))
  symlinkSync(join(folder, 'media'), join(folder, 'stick'))
  const dongle = join(folder, 'stick', 'sotto.key')
  told(t, await member(t, state, ['identity', 'dongle', dongle, '--json']))
  t.is(statSync(dongle).mode & 0o777, 0o600)
  const made = await run(['backup', '--codes', folder, '--two-of-three', '--no-password', '--dongle', dongle])
  const [first, second, third] = told(t, made).files as string[]
  const restore = (...files: string[]): Promise<Outcome> => {
    const args = files.flatMap((file) => ['--file', file])
    return member(t, `${state}-2`, ['identity', 'restore', ...args, '--name', 'Ada', '--json', '--dongle', dongle])
  }
  t.is(code(await restore(first!)), 'E_BACKUP_PARTS')
  t.is(code(await restore(first!, dongle)), 'E_BACKUP_FORMAT')
  const cut = join(folder, 'cut.png')
  writeFileSync(cut, readFileSync(second!).subarray(0, 400))
  t.is(code(await restore(first!, cut)), 'E_BACKUP_FORMAT')
  t.is(code(await restore(first!, join(folder, 'missing.png'))), 'E_FILE')
  // Parts of another backup lie in their place: none is overwritten, and none is put beside them.
  const again = join(folder, 'again')
  mkdirSync(again)
  const taken = join(again, 'sotto-backup-2-of-3.png')
  writeFileSync(taken, 'mine')
  const beside = await run(['backup', '--codes', again, '--no-password', '--dongle', dongle])
  t.is(code(beside), 'E_FILE')
  t.deepEqual(readdirSync(again), ['sotto-backup-2-of-3.png'])
  t.is(readFileSync(taken, 'utf8'), 'mine')
  rmSync(taken)
  const all = told(t, await run(['backup', '--codes', again, '--no-password', '--dongle', dongle])).files as string[]
  t.is(code(await restore(all[0]!, all[1]!, third!)), 'E_BACKUP_PARTS', 'a part of another backup')
  t.is(code(await restore(all[0]!, all[1]!)), 'E_BACKUP_PARTS', 'one is missing')
  t.is(code(await run(['backup', '--codes', again, '--file', join(folder, 'both')], PASSWORD)), 'E_USAGE')
  t.is(told(t, await restore(third!, first!)).uid, uid)
})

test('what is missing or wrong is told before anything is made', async (t) => {
  const { folder, run, state } = await home(t)
  t.is(code(await run(['backup'], 'short\n')), 'E_BACKUP_PASSWORD')
  t.is(code(await run(['backup', '--no-password'])), 'E_USAGE')
  t.is(code(await run(['backup', '--dongle', join(folder, 'none')], PASSWORD)), 'E_FILE')
  writeFileSync(join(folder, 'other'), 'sotto-dongle:abc\n')
  t.is(code(await run(['backup', '--dongle', join(folder, 'other')], PASSWORD)), 'E_BACKUP_DONGLE')
  t.is(code(await run(['prove'], PASSWORD)), 'E_USAGE')
  t.is(code(await run(['new', '--name', 'Eve'])), 'E_IDENTITY_EXISTS')
  const letters = told(t, await run(['backup'], PASSWORD)).letters as string[]
  t.is(letters.length, 4)

  const other = await member(t, `${state}-2`, ['identity', 'new', '--name', 'Ben', '--json'])
  told(t, other)
  const file = join(folder, 'typed.txt')
  writeFileSync(file, letters.join('\n').toLowerCase())
  const args = ['identity', 'prove', '--file', file, '--json']
  t.is(code(await member(t, `${state}-2`, args, PASSWORD)), 'E_BACKUP_OTHER')
  t.is(told(t, await member(t, `${state}-2`, ['identity', '--json'])).backedUp, false)
})

test('the core opens the files that were named, and no other', async (t) => {
  const { folder, run } = await home(t)
  const { status, err } = await run(['backup', '--file', join(folder, 'a*')], PASSWORD)
  t.is(status, 2)
  t.regex(err, /E_USAGE/)
})

test('rotate: new keys from the backup, the same id; a restore names how often', async (t) => {
  const { folder, state, run, uid } = await home(t)
  const file = join(folder, 'backup.txt')
  told(t, await run(['backup', '--file', file], PASSWORD))
  t.is(code(await run(['rotate', '--file', file], 'another password\n')), 'E_BACKUP_LOCKED')
  t.is(told(t, await run(['show'])).updates, 0)
  t.is(told(t, await run(['rotate', '--file', file], PASSWORD)).updates, 1)
  t.like(told(t, await run(['show'])), { uid, updates: 1 })
  t.is(told(t, await run(['rotate', '--file', file], PASSWORD)).updates, 2)
  told(t, await run(['prove', '--file', file], PASSWORD))

  const restore = (count: string): Promise<Outcome> => {
    const args = ['identity', 'restore', '--file', file, '--name', 'Ada', '--updates', count, '--json']
    return member(t, `${state}-2`, args, PASSWORD)
  }
  t.is(code(await restore('16')), 'E_USAGE')
  t.is(told(t, await restore('2')).uid, uid)
  t.like(told(t, await member(t, `${state}-2`, ['identity', '--json'])), { uid, updates: 2 })

  told(t, await member(t, `${state}-3`, ['identity', 'new', '--name', 'Ben', '--json']))
  const foreign = await member(t, `${state}-3`, ['identity', 'rotate', '--file', file, '--json'], PASSWORD)
  t.is(code(foreign), 'E_BACKUP_OTHER')
})
