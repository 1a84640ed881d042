import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Command } from 'commander'
import { hex } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { parsePack } from '#protocol/pack.ts'
import { builtinText } from '../../camouflage-templates/builtin.ts'
import { registerAdminCommands } from './commands.ts'
import { registerPackCommands } from './packs-commands.ts'

const DAY = 86_400_000

interface Place {
  readonly folder: string
  readonly state: string
  readonly clock: { now: number }
  /** Runs one command line; what it printed. */
  readonly sotto: (line: string, ...more: string[]) => Promise<string>
  readonly json: (line: string, ...more: string[]) => Promise<Record<string, unknown>>
  readonly refused: (line: string, code: string, message: RegExp) => Promise<void>
}

async function place(t: ExecutionContext): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-packs-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const state = join(folder, 'state')
  const clock = { now: Date.parse('2026-05-01T12:00:00Z') }
  const sotto = async (line: string, ...more: string[]): Promise<string> => {
    let printed = ''
    const out = (text: string): void => {
      printed += text
    }
    const program = new Command('sotto').exitOverride()
    const around = { out, now: () => clock.now, terminal: false, confirm: async () => false, status: () => {} }
    registerAdminCommands(program, around)
    registerPackCommands(program.command('templates'), around)
    await program.parseAsync([...line.split(' '), ...more, '--state', state], { from: 'user' })
    return printed
  }
  const json = async (line: string, ...more: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await sotto(line, ...more, '--json'))
  const refused = async (line: string, code: string, message: RegExp): Promise<void> => {
    const error = await t.throwsAsync(sotto(line))
    t.true(isSottoError(error), String(error))
    t.is((error as { code?: string }).code, code)
    t.regex(error.message, message)
  }
  await sotto('gateway init --domain workshop.example --listen unix:gateway.sock')
  return { folder, state, clock, sotto, json, refused }
}

test('status says of a canary that nobody has tried that it waits, once its time is over', async (t) => {
  const { sotto, clock } = await place(t)
  await sotto('templates delegate')
  await sotto('templates pack beacon')
  t.regex(await sotto('templates rotate --watch 1h'), /Tried by 10% of the members until 2026-05-01 13:00:00:\n/)
  clock.now += 3_600_000
  t.regex(
    await sotto('templates status'),
    /Tried by 10% of the members; none has said yet whether it works, so it waits:\n/,
  )
})

test('a folder as `templates learn` makes it is packed by its name; one that holds none is refused', async (t) => {
  const here = await place(t)
  await here.sotto('templates delegate')
  const learned = join(here.folder, 'shop')
  mkdirSync(learned)
  await here.refused(`templates pack ${learned}`, 'E_USAGE', /no template/)
  writeFileSync(join(learned, 'template.yaml'), builtinText('beacon').replace('id: beacon', 'id: shop'))
  t.like(await here.json('templates pack', learned), { serial: 1, templates: ['shop'] })
  writeFileSync(join(learned, 'template.yaml'), 'format: 2')
  await here.refused(`templates pack ${learned}`, 'E_TEMPLATE', /shop.template\.yaml:1: /)
})

function templateFile({ folder }: Place, n: number): string {
  const file = join(folder, `look-${n}.yaml`)
  writeFileSync(file, builtinText('support-chat').replace('id: support-chat', `id: look-${n}`))
  return file
}

test('with the root key at hand: delegate, pack, rotate, status, rollback, history', async (t) => {
  const here = await place(t)
  const { sotto, json, state } = here
  t.regex(await sotto('templates delegate --days 20'), /Packs can be signed here until 2026-05-21\./)
  t.is(statSync(join(state, 'pack-signing.key')).mode & 0o777, 0o600)
  const made = await json('templates pack', templateFile(here, 1), '--ttl', '15m', '--overlap', '2h', '--canary', '25')
  t.like(made, { serial: 1, floor: 0, ttl: 900, overlap: 7_200, canary: 25, verdict: 'new' })
  t.deepEqual(made.templates, ['look-1'])
  t.is(made.until, '2026-05-21T11:00:00.000Z', 'a pack does not outlive the certificate')
  t.like(await json('templates rotate --now'), { floor: 0, canary: null, current: { serial: 1, verdict: 'promoted' } })
  t.like(await json('templates pack', templateFile(here, 2)), { serial: 2, floor: 1 })
  const tried = await json('templates rotate --watch 1h')
  t.like(tried, { current: { serial: 1 }, canary: { serial: 2, canary: 10, over: '2026-05-01T13:00:00.000Z' } })
  t.regex(
    await sotto('templates status'),
    /In use:\n +1 .*\nTried by 10% of the members until 2026-05-01 13:00:00:\n +2 /,
  )
  t.like(await json('templates rollback'), { current: { serial: 1 }, canary: null })
  const history = (await json('templates history')) as unknown as { event: string; serial: number; by: string }[]
  t.deepEqual(
    history.map(({ event, serial, by }) => `${event} ${serial} ${by}`),
    ['added 1', 'promoted 1', 'added 2', 'canary 2', 'rolled-back 2'].map((line) => `${line} operator`),
  )
  t.regex(await sotto('templates history'), /2026-05-01 12:00:00 {2}canary +2 {2}[0-9a-f]{12} {2}operator {2}10% of/)
})

test('with the root key elsewhere: three lines of text travel, no secret', async (t) => {
  const here = await place(t)
  const { folder, state, sotto, refused } = here
  const away = join(folder, 'offline.key')
  renameSync(join(state, 'pack-root.key'), away)
  await refused('templates pack', 'E_PACK_KEY', /No signing key of this gateway has a certificate yet/)
  const line = await sotto('templates delegate')
  t.regex(line, /^sotto-pack-signing-public:[\w-]{43}\n$/)
  const certificate = await sotto('templates delegate', '--key', line.trim(), '--root-key', away, '--days', '7')
  t.regex(certificate, /^sotto-pack-certificate:[\w-]+\n$/)
  const file = join(folder, 'certificate.txt')
  writeFileSync(file, certificate)
  t.regex(await sotto('templates delegate', '--certificate', file), /until 2026-05-08/)
  t.regex(await sotto('templates delegate', '--certificate', certificate.trim()), /until 2026-05-08/)
  t.regex(await sotto('templates pack'), / 1 {2}[0-9a-f]{12} {2}new .* support-chat\nNext: sotto templates rotate/)
})

test('a certificate that is none, or not ours, is not installed', async (t) => {
  const here = await place(t)
  const other = await place(t)
  const line = await here.sotto('templates delegate', '--root-key', '/nowhere')
  await here.refused('templates delegate --certificate nonsense', 'E_PACK_KEY', /no certificate/)
  await here.refused('templates delegate --key nonsense', 'E_PACK_KEY', /no public half/)
  await here.refused(`templates delegate --key ${line.trim()} --root-key /nowhere`, 'E_PACK_KEY', /no root key/)
  const foreign = await other.sotto('templates delegate', '--key', line.trim())
  await here.refused(`templates delegate --certificate ${foreign.trim()}`, 'E_PACK_KEY', /not by the root key/)
  const theirs = await other.sotto('templates delegate', '--root-key', '/nowhere')
  const wrongKey = await here.sotto('templates delegate', '--key', theirs.trim())
  await here.refused(`templates delegate --certificate ${wrongKey.trim()}`, 'E_PACK_KEY', /another signing key/)
  await here.refused('templates pack', 'E_PACK_KEY', /has a certificate yet/)
})

test('a certificate ends', async (t) => {
  const { clock, sotto, refused } = await place(t)
  await sotto('templates delegate --days 2')
  clock.now += 2 * DAY
  await refused('templates pack', 'E_PACK_KEY', /not valid now/)
  t.regex(await sotto('templates delegate --days 2'), /until 2026-05-05/, 'the key stays, its certificate is new')
  t.regex(await sotto('templates pack'), /^ +1 /)
})

test('each refusal has its code and its reason', async (t) => {
  const here = await place(t)
  const { folder, clock, sotto, refused } = here
  await refused('templates rotate', 'E_PACK_UNKNOWN', /no pack yet/)
  await refused('templates rollback', 'E_PACK_UNKNOWN', /no earlier pack/)
  await sotto('templates delegate')
  await refused('templates pack nonsense', 'E_USAGE', /no template and no file "nonsense"/)
  await refused('templates pack --ttl 1s', 'E_USAGE', /--ttl takes a time like 90s/)
  await refused('templates pack --overlap 5', 'E_USAGE', /--overlap takes/)
  await refused('templates pack --canary 0', 'E_USAGE', /--canary takes/)
  await refused('templates pack --floor 9', 'E_USAGE', /bad floor/)
  await refused('templates pack support-chat support-chat', 'E_TEMPLATE', /an id that no other template/)
  const bad = join(folder, 'bad.yaml')
  writeFileSync(bad, builtinText('support-chat').replace('concurrency: 3', 'concurrency: 30'))
  await refused(`templates pack ${bad}`, 'E_TEMPLATE', /bad\.yaml:\d+: rhythm\.concurrency/)
  for (const n of [1, 2, 3]) {
    await sotto('templates pack', templateFile(here, n))
    await sotto('templates rotate --now')
  }
  await refused('templates pack --serial 3', 'E_USAGE', /higher than 3/)
  await refused('templates rotate 1', 'E_PACK_FLOOR', /Pack 1 is older than the floor, 2/)
  await refused('templates rotate 77', 'E_PACK_UNKNOWN', /0 packs fit "77"/)
  await refused('templates rotate 1 --file x', 'E_USAGE', /not both/)
  await sotto('templates pack', templateFile(here, 4))
  await sotto('templates rotate')
  await sotto('templates pack --serial 5', templateFile(here, 5))
  await refused('templates rotate', 'E_PACK_BUSY', /Pack 4 is being tried/)
  clock.now += 40 * DAY
  await refused('templates rotate 5 --now', 'E_PACK_EXPIRED', /not valid now/)
  writeFileSync(join(folder, 'junk'), 'junk')
  await refused(`templates rotate --file ${join(folder, 'junk')}`, 'E_PACK_FORMAT', /no template pack/)
  await refused(`templates rotate --file ${join(folder, 'absent')}`, 'E_FILE', /read/)
  await refused(`templates pack beacon --out ${join(folder, 'absent', 'pack')}`, 'E_FILE', /write/)
})

test('a pack travels as a file, and is the same on every gateway of its root', async (t) => {
  const here = await place(t)
  const { folder, state, json } = here
  await json('templates delegate')
  const file = join(folder, 'one.pack')
  const made = await json('templates pack', templateFile(here, 1), '--out', file)
  t.is(hex(parsePack(new Uint8Array(readFileSync(file))).hash), made.hash as string)
  const other = await place(t)
  await other.refused(`templates rotate --file ${file}`, 'E_PACK_SIGNATURE', /not signed under the root key/)
  for (const name of ['pack-root.pub']) {
    rmSync(join(other.state, name))
    renameSync(join(state, name), join(other.state, name))
  }
  t.like(await other.json(`templates rotate --now --file ${file}`), { current: { hash: made.hash } })
})
