import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Command } from 'commander'
import { decodeQR } from 'qr/decode.js'
import { openState } from '#gateway/state.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { isSottoError } from '#protocol/errors.ts'
import { INVITE_PREFIX, parseInvite } from '#protocol/invite.ts'
import { registerAdminCommands } from './commands.ts'

const now = Date.parse('2026-05-01T12:00:00Z')

interface Place {
  readonly state: string
  /** Runs one command line; what it printed. */
  readonly sotto: (line: string, ...more: string[]) => Promise<string>
  readonly refused: (line: string, code: string, message: RegExp) => Promise<void>
}

function place(t: ExecutionContext, terminal = false, answer = false): Place {
  const root = mkdtempSync(join(tmpdir(), 'sotto-admin-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const state = join(root, 'state')
  const sotto = async (line: string, ...more: string[]): Promise<string> => {
    let printed = ''
    const program = new Command('sotto').exitOverride()
    const out = (text: string): void => {
      printed += text
    }
    registerAdminCommands(program, { out, now: () => now, terminal, confirm: async () => answer, status: () => {} })
    await program.parseAsync([...line.split(' '), ...more, '--state', state], { from: 'user' })
    return printed
  }
  const refused = async (line: string, code: string, message: RegExp): Promise<void> => {
    const error = await t.throwsAsync(sotto(line))
    t.true(isSottoError(error), String(error))
    t.is((error as { code?: string }).code, code)
    t.regex(error.message, message)
  }
  return { state, sotto, refused }
}

const INIT = 'gateway init --domain workshop.example --listen unix:gateway.sock'

test('init makes a gateway that opens, with a site; run again it changes nothing', async (t) => {
  const { state, sotto } = place(t)
  const printed = await sotto(`${INIT} --address 192.0.2.7 --port 8443`, '--name', 'The "workshop": №1')
  t.regex(printed, /made site, gateway\.key, store\.key/)
  t.regex(printed, /put your own website there/)
  const opened = await openState(state)
  t.like(opened.config, {
    name: 'The "workshop": №1',
    domain: 'workshop.example',
    port: 8443,
    addresses: ['192.0.2.7'],
    listen: { kind: 'unix', path: join(state, 'gateway.sock') },
    decoy: { kind: 'folder', folder: join(state, 'site') },
    templates: ['support-chat'],
  })
  await opened.close()
  t.true(readdirSync(join(state, 'site')).includes('index.html'))
  const files = readdirSync(state).filter((name) => /key|yaml|pub/.test(name))
  const before = files.map((name) => readFileSync(join(state, name), 'utf8'))
  t.regex(
    await sotto('gateway init --domain other.example --listen unix:x'),
    /is complete\.\ngateway\.yaml was there.*\n {2}name: .*\n {2}domain: "workshop\.example", and now "other\.example"/,
  )
  t.deepEqual(
    files.map((name) => readFileSync(join(state, name), 'utf8')),
    before,
  )
})

test('the sample site speaks of the operator’s domain', async (t) => {
  const { state, sotto } = place(t)
  await sotto('gateway init --domain garden.example --listen unix:x')
  t.regex(readFileSync(join(state, 'site/sitemap.xml'), 'utf8'), /https:\/\/garden\.example\/photos\//)
  t.regex(readFileSync(join(state, 'site/robots.txt'), 'utf8'), /garden\.example/)
})

test('init writes nothing where a choice is wrong', async (t) => {
  const { state, refused } = place(t)
  await refused(
    'gateway init --domain a.example',
    'E_USAGE',
    /one of --certificate with --key, --acme, and --self-signed/,
  )
  await refused(`${INIT} --self-signed`, 'E_USAGE', /unix and http need/)
  await refused('gateway init --domain a.example --certificate x', 'E_USAGE', /https needs/)
  await refused('gateway init --domain a.example --listen ftp:x', 'E_USAGE', /--listen takes/)
  await refused('gateway init --domain A.example --listen unix:x', 'E_CONFIG', /domain: expected a domain/)
  await refused('gateway init --domain a.example --listen http://0.0.0.0:80', 'E_CONFIG', /loopback/)
  await refused(`${INIT} --port 0`, 'E_USAGE', /--port takes/)
  await refused(`${INIT} --template nonsense`, 'E_USAGE', /no template "nonsense"; there are .*support-chat/)
  await refused('gateway init --domain a.example --certificate x --key y', 'E_STATE_UNREADABLE', /read/)
  t.throws(() => readdirSync(state))
})

test('every decoy can be chosen', async (t) => {
  const choices = [
    ['http://127.0.0.1:8081', { kind: 'upstream', url: 'http://127.0.0.1:8081' }],
    ['@decoy', { kind: 'accel', location: '@decoy' }],
    ['/srv/www', { kind: 'folder', folder: '/srv/www' }],
  ] as const
  for (const [text, decoy] of choices) {
    const { state, sotto } = place(t)
    t.notRegex(await sotto(`${INIT} --decoy ${text}`), /sample/)
    const opened = await openState(state)
    t.deepEqual(opened.config.decoy, decoy)
    await opened.close()
    t.false(readdirSync(state).includes('site'))
  }
})

test('an invite link holds what a member needs, and its code can be redeemed once', async (t) => {
  const { state, sotto } = place(t)
  await sotto(
    'gateway init --domain workshop.example --listen https://0.0.0.0:8443 --self-signed --address 2001:db8::7',
  )
  const printed = await sotto('invite create --name Anna --days 3')
  const invite = parseInvite(printed.split('\n')[0]!, now)
  const opened = await openState(state)
  t.deepEqual(invite.gateways[0]?.key, opened.gatewayKey)
  t.deepEqual(invite.root, opened.packRoot)
  t.like(invite, { name: 'workshop.example', template: 'support-chat', expires: now / 1000 + 3 * 86_400 })
  t.like(invite.gateways[0], { host: 'workshop.example', port: 8443, addresses: ['2001:db8::7'] })
  t.is(invite.gateways[0]?.tls?.length, 32)
  t.deepEqual(opened.members.cohorts(now)[0]?.secret, invite.gateways[0]?.cohort)
  const [id, key] = [randomBytes(16), randomBytes(32)]
  t.is((await opened.members.redeem(invite.code, id, key, now))?.role, 'member')
  t.is(await opened.members.redeem(invite.code, randomBytes(16), key, now), undefined)
  await opened.close()
  t.regex(await sotto('invite list'), /^[0-9a-f]{16} {2}used {5}1\/1 {2}member {2}2026-05-04 {2}Anna\n$/)
})

test('create, list and revoke, for people and for programs', async (t) => {
  const { sotto, refused } = place(t)
  await sotto(INIT)
  t.regex(await sotto('invite list'), /No invites yet/)
  const created = JSON.parse(await sotto('invite create --count 3 --uses 2 --guest --json')) as Record<
    string,
    unknown
  >[]
  t.is(created.length, 3)
  t.is(new Set(created.map(({ link }) => link)).size, 3)
  for (const one of created) {
    t.like(one, { uses: 2, used: 0, role: 'guest', state: 'open', created: '2026-05-01T12:00:00.000Z' })
    t.notThrows(() => parseInvite(String(one.link), now))
  }
  const listed = JSON.parse(await sotto('invite list --json')) as Record<string, unknown>[]
  t.deepEqual(listed.map(({ id }) => id).toSorted(), created.map(({ id }) => id).toSorted())
  t.false(
    listed.some((one) => 'link' in one),
    'links are shown once',
  )
  t.is(await sotto(`invite revoke ${created[0]!.id}`), 'Revoked. Members it ended: 0.\n')
  t.deepEqual(JSON.parse(await sotto(`invite revoke ${created[1]!.id} --json`)), { id: created[1]!.id, ended: 0 })
  t.is((await sotto('invite list')).split('\n').filter((line) => line.includes('revoked')).length, 2)
  await refused('invite revoke 0011', 'E_USAGE', /There is no invite "0011"/)
  await refused('invite create --uses 33', 'E_USAGE', /--uses takes a whole number from 1 to 32/)
  await refused('invite create --days 1e3', 'E_USAGE', /--days takes/)
})

test('commands on a folder without a gateway say what to do', async (t) => {
  const { refused, state } = place(t)
  for (const line of ['invite list', 'invite create', 'invite revoke 0011223344556677']) {
    await refused(line, 'E_STATE_UNREADABLE', /run sotto gateway init/)
  }
  t.throws(() => readdirSync(state))
})

test('a faulty configuration is named with its line, and nothing is done', async (t) => {
  const { refused, sotto, state } = place(t)
  await sotto(INIT)
  const file = join(state, 'gateway.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('"disk"', 'tape'))
  await refused(
    'invite create',
    'E_CONFIG',
    /gateway\.yaml:\d+: mailbox\.policy: expected none, ram or disk, found "tape"/,
  )
})

/** Two pixels a character, one above the other; light modules are printed. */
function pixelsOf(lines: readonly string[]): { width: number; height: number; data: Uint8Array } {
  const scale = 4
  const [columns, rows] = [lines[0]!.length, lines.length * 2]
  const data = new Uint8Array(columns * rows * scale * scale * 4).fill(255)
  for (let y = 0; y < rows * scale; y++) {
    for (let x = 0; x < columns * scale; x++) {
      const row = Math.floor(y / scale)
      const character = lines[Math.floor(row / 2)]![Math.floor(x / scale)]
      const light = character === '█' || character === (row % 2 === 0 ? '▀' : '▄')
      data.fill(light ? 255 : 0, (y * columns * scale + x) * 4, (y * columns * scale + x) * 4 + 3)
    }
  }
  return { width: columns * scale, height: rows * scale, data }
}

test('in a terminal a link comes with a QR code that is the link', async (t) => {
  const { sotto } = place(t, true)
  await sotto(INIT)
  const printed = await sotto('invite create')
  const link = printed.split('\n')[0]!
  const lines = printed.split('\n').filter((line) => /^[█▀▄ ]{20,}$/.test(line))
  t.is(decodeQR(pixelsOf(lines)), link)
  t.true(link.startsWith(INVITE_PREFIX))
  t.notRegex(await sotto('invite create --no-qr'), /█/)
  t.notRegex(
    await place(t)
      .sotto(INIT)
      .then(() => sotto('invite create --json')),
    /█/,
  )
})
