import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Command } from 'commander'
import { randomBytes } from '#protocol/crypto/random.ts'
import { isSottoError } from '#protocol/errors.ts'
import { parseInvite } from '#protocol/invite.ts'
import { issueCertificate } from '#test/helpers/test-ca.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { type AdminSurroundings, registerAdminCommands } from '../admin/commands.ts'
import { registerPackCommands } from '../admin/packs-commands.ts'
import { openState } from '../state.ts'
import { holdStore } from '../store/holder.ts'
import { certificatePin, createSelfSigned } from '../tls-files.ts'
import { routesOf } from './routes.ts'

const now = Date.parse('2026-05-01T12:00:00Z')

interface Place {
  readonly folder: string
  readonly state: string
  readonly etc: string
  readonly www: string
  readonly sotto: (line: string, answer?: boolean) => Promise<string>
  readonly init: (front: string, more?: string) => Promise<string>
  readonly read: (path: string) => string
}

function place(t: ExecutionContext): Place {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-deploy-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [state, etc, www] = ['state', 'etc', 'www'].map((name) => join(folder, name)) as [string, string, string]
  const sotto = async (line: string, answer = false): Promise<string> => {
    let printed = ''
    const program = new Command('sotto').exitOverride()
    const out = (text: string): void => {
      printed += text
    }
    const around: AdminSurroundings = {
      ...{ out, now: () => now, terminal: false, status: () => {} },
      confirm: async (what) => {
        printed += what
        return answer
      },
    }
    registerAdminCommands(program, around)
    registerPackCommands(program.command('templates'), around)
    await program.parseAsync([...line.split(' '), '--state', state], { from: 'user' })
    return printed
  }
  const init = (front: string, more = `--site ${www}`): Promise<string> =>
    sotto(`gateway init --domain workshop.example --front ${front} --etc ${etc} ${more}`)
  return { folder, state, etc, www, sotto, init, read: (path) => readFileSync(join(etc, path), 'utf8') }
}

async function refused(t: ExecutionContext, run: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(run)
  t.true(isSottoError(error), String(error))
  t.is((error as { code?: string }).code, code)
  t.regex(error.message, message)
}

test('routes: every shape’s requests fit, with their methods; near misses do not', (t) => {
  const templates = compileBuiltins()
  const routes = routesOf(templates)
  const takes = (method: string, path: string): boolean =>
    routes.some(({ methods, paths }) => methods.includes(method) && paths.some((each) => new RegExp(each).test(path)))
  for (const shape of templates.flatMap(({ shapes }) => shapes)) {
    const input = { token: randomBytes(16), parcel: randomBytes(shape.up.classes[0]!), host: 'h', random: randomBytes }
    const [path] = shape.encodeRequest(input).target.split('?') as [string]
    t.true(takes(shape.method, path), path)
    for (const near of [`${path}/`, `${path}x`, `/x${path}`, path.replace(/^\//, '//'), path.replace('.', '-')])
      t.is(takes(shape.method, near), path === near, near)
    t.false(takes('PUT', path))
  }
  t.false(takes('POST', '/photos/harbour/DSC04410.png'))
  t.deepEqual(routes, routesOf(templates.toReversed()))
})

test('routes: nothing in a template’s path can mean anything to a web server', (t) => {
  const hostile = { pieces: ['/a"; return 200; #{}$x|(b)\\.*%22 '] }
  const [route] = routesOf([{ shapes: [{ method: 'GET', path: hostile }] } as never])
  t.regex(route!.paths[0]!, /^\^(?:[A-Za-z0-9/.]|\[\.\])+\$$/)
})

for (const [front, files] of [
  [
    'nginx',
    [
      'letsencrypt/renewal-hooks/deploy/sotto-gateway',
      'nftables.d/sotto-gateway.nft',
      'nginx/sites-available/sotto-gateway',
      'nginx/snippets/sotto-gateway.conf',
      'systemd/system/sotto-gateway.service',
    ],
  ],
  [
    'caddy',
    [
      'caddy/sotto-gateway-site.caddy',
      'caddy/sotto-gateway.caddy',
      'nftables.d/sotto-gateway.nft',
      'systemd/system/sotto-gateway.service',
    ],
  ],
] as const) {
  test(`${front}: init writes its files once, keeps what somebody changed, and uninstall leaves nothing`, async (t) => {
    const { folder, state, etc, init, read, sotto } = place(t)
    writeFileSync(join(folder, 'mine'), 'x')
    t.regex(await init(front), /service: made/)
    const found = (): string[] =>
      readdirSync(etc, { recursive: true, withFileTypes: true })
        .flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name).slice(etc.length + 1)] : []))
        .toSorted()
    t.deepEqual(found(), [...files])
    for (const name of ['gateway.key', 'store.key', 'pack-root.key'])
      t.is(statSync(join(state, name)).mode & 0o777, 0o600)
    const before = files.map(read)
    t.notRegex(await init(front), /made|renewed/)
    t.deepEqual(files.map(read), before)

    const edited = files.find((name) => /snippets|gateway\.caddy/.test(name))!
    writeFileSync(join(etc, edited), 'mine now')
    t.regex(await init(front), /changed by hand and was left alone/)
    t.is(read(edited), 'mine now')
    t.regex(await init(front, `--site ${join(folder, 'www')} --force`), /renewed/)
    t.deepEqual(files.map(read), before)

    writeFileSync(join(etc, edited), 'mine again')
    await refused(t, sotto('gateway uninstall'), 'E_USAGE', /nothing was removed/)
    t.true(existsSync(join(state, 'store.key')))
    t.regex(await sotto('gateway uninstall', true), /changed by hand\)[\s\S]*Removed\.\n$/)
    t.deepEqual(readdirSync(folder), ['mine'])
  })
}

/** Everything below a folder but folders, in order. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name).slice(folder.length + 1)] : []))
    .toSorted()

const deadlier = join(import.meta.dirname, '../../test/fixtures/die-at.mjs')
const program = join(import.meta.dirname, '../main.ts')

/** Runs `init` until its nth change of a folder and kills it there; false where it makes fewer. */
function killedAt(change: number, args: readonly string[]): boolean {
  const { signal } = spawnSync(process.execPath, ['--import', deadlier, program, 'gateway', 'init', ...args], {
    env: { ...process.env, DIE_AT: String(change) },
  })
  return signal === 'SIGKILL'
}

for (const [front, more] of [
  ['nginx', ''],
  ['none', '--self-signed'],
] as const) {
  test(`${front}: wherever init is killed, the next completes it, and uninstall leaves nothing`, async (t) => {
    // Changes between two kills: each takes a second on a busy machine.
    const step = process.env.SOTTO_LONG === undefined ? 31 : 1
    let whole: string[] | undefined
    let change = 1
    for (; ; change += step) {
      const { folder, state, etc, www, sotto, init } = place(t)
      const args = ['--state', state, '--domain', 'workshop.example', '--front', front, '--etc', etc, '--site', www]
      const killed = killedAt(change, [...args, ...more.split(' ').filter((word) => word !== '')])
      if (!killed || change % 2 === 0) {
        if (readdirSync(folder).length > 0 && readdirSync(state).length > 0) await sotto('gateway uninstall --yes')
      } else {
        await init(front, `--site ${www} ${more}`.trimEnd())
        whole ??= filesBelow(folder)
        t.deepEqual(filesBelow(folder), whole, `killed at ${change}`)
        await (await openState(state)).close()
        await sotto('gateway uninstall --yes')
      }
      t.deepEqual(filesBelow(folder), [], `killed at ${change}`)
      if (!killed) break
    }
    t.true(change > 3 * step)
  })
}

test('uninstall takes what other commands have put into the state folder', async (t) => {
  const { folder, state, init, sotto } = place(t)
  await init('nginx')
  await sotto('templates delegate')
  const places = join(folder, 'places.yaml')
  writeFileSync(places, await sotto('gateway announce'))
  await sotto(`gateway announce --places ${places}`)
  for (const name of ['gateway.yaml.0123456789ab.draft', 'gateways.list.next', 'made.json.sotto-draft'])
    writeFileSync(join(state, name), 'a writing that broke off')
  t.true(['pack-signing.key', 'pack-signing.cert', 'gateways.list'].every((name) => existsSync(join(state, name))))
  t.regex(await sotto('gateway uninstall --yes'), /Removed\.\n$/)
  t.deepEqual(readdirSync(folder), ['places.yaml'])
})

test('what an own website has taken in is not removed under it', async (t) => {
  for (const [front, own, text] of [
    ['nginx', 'nginx/sites-enabled/mine', 'server {\n    include snippets/sotto-gateway.conf;\n}\n'],
    ['caddy', 'caddy/Caddyfile', 'mine.example {\n\troute {\n\t\timport sotto\n\t}\n}\n'],
  ] as const) {
    const { state, etc, init, sotto } = place(t)
    await init(front)
    spawnSync('mkdir', ['-p', dirname(join(etc, own))])
    writeFileSync(join(etc, own), text)
    const files = filesBelow(etc)
    await refused(t, sotto('gateway uninstall --yes'), 'E_USAGE', new RegExp(`${own} takes in`))
    t.deepEqual(filesBelow(etc), files)
    t.true(existsSync(join(state, 'store.key')))
    writeFileSync(join(etc, own), text.replace(/( *|\t*)(include|import)/, '$1# $2'))
    t.regex(await sotto('gateway uninstall --yes'), /Removed/)
    t.deepEqual(filesBelow(etc), [own])
  }
})

test('a second gateway with the same folder of system files takes nothing of the first one', async (t) => {
  const { folder, state, etc, www, sotto, init } = place(t)
  await init('nginx')
  const files = filesBelow(etc)
  const other = join(folder, 'other')
  const args = ['--state', other, '--domain', 'b.example', '--front', 'nginx', '--etc', etc, '--site', www]
  const second = spawnSync(process.execPath, [program, 'gateway', 'init', ...args], { encoding: 'utf8' })
  t.regex(second.stdout, /sotto-gateway\.service is not from here/)
  const gone = spawnSync(process.execPath, [program, 'gateway', 'uninstall', '--yes', '--state', other])
  t.is(gone.status, 0, String(gone.stderr))
  t.deepEqual(filesBelow(etc), files)
  t.false(existsSync(other))
  t.regex(await init('nginx'), /is complete/)
  t.true(existsSync(state))
  await sotto('gateway uninstall --yes')
})

test('without a domain, what is configured is put in place again, and nothing is decided anew', async (t) => {
  const { state, etc, sotto, init, read } = place(t)
  await refused(t, sotto(`gateway init --etc ${etc}`), 'E_USAGE', /name the website/)
  await init('nginx', '--upstream http://127.0.0.1:3000 --template gallery')
  const [config, unit] = [
    readFileSync(join(state, 'gateway.yaml'), 'utf8'),
    read('systemd/system/sotto-gateway.service'),
  ]
  rmSync(join(etc, 'systemd/system/sotto-gateway.service'))
  t.regex(await sotto('gateway init'), /sotto-gateway\.service: made/)
  t.is(read('systemd/system/sotto-gateway.service'), unit)
  t.is(readFileSync(join(state, 'gateway.yaml'), 'utf8'), config)
  for (const option of ['--site /srv/x', '--front caddy', '--template beacon', '--acme'])
    await refused(t, sotto(`gateway init ${option}`), 'E_USAGE', /name the website/)
})

test('what is foreign is neither written over nor removed', async (t) => {
  const { folder, state, etc, www, init, sotto } = place(t)
  await init('nginx')
  await sotto('gateway uninstall --yes')
  const unit = join(etc, 'systemd/system/sotto-gateway.service')
  spawnSync('mkdir', ['-p', join(etc, 'systemd/system')])
  writeFileSync(unit, 'somebody else’s')
  t.regex(await init('nginx', `--site ${www} --force`), /service is not from here and was left alone/)
  writeFileSync(join(www, 'index.html'), 'my own page')
  writeFileSync(join(www, 'about.html.draft'), 'my own draft')
  writeFileSync(join(state, 'notes.txt'), 'mine')
  t.regex(await sotto('gateway uninstall --yes'), /Not from here, and left alone: .*notes\.txt/)
  t.is(readFileSync(unit, 'utf8'), 'somebody else’s')
  t.deepEqual(readdirSync(www).toSorted(), ['about.html.draft', 'index.html'])
  t.deepEqual(readdirSync(state), ['notes.txt'])
  t.deepEqual(readdirSync(folder).toSorted(), ['etc', 'state', 'www'])
  await refused(t, sotto('gateway uninstall --yes'), 'E_STATE_UNREADABLE', /no gateway/)
})

test('a gateway that runs is not uninstalled', async (t) => {
  const { state, init, sotto } = place(t)
  await init('nginx')
  const opened = await openState(state)
  const release = await holdStore(opened.store)
  await refused(t, sotto('gateway uninstall --yes'), 'E_STATE_BUSY', /already uses/)
  await release()
  await opened.close()
  t.regex(await sotto('gateway uninstall --yes'), /Removed/)
})

test('changed values are told, and written with --force only', async (t) => {
  const { state, init, read, www } = place(t)
  await init('nginx')
  const told = await init('nginx', `--upstream http://127.0.0.1:3000 --name Other`)
  t.regex(told, /name: "workshop\.example", and now "Other"/)
  t.regex(told, /front: .*"folder".*, and now .*"upstream"/)
  t.regex(read('nginx/snippets/sotto-gateway.conf'), /try_files \$uri/)
  t.regex(await init('nginx', `--upstream http://127.0.0.1:3000 --name Other --force`), /gateway\.yaml\.before/)
  const snippet = read('nginx/snippets/sotto-gateway.conf')
  t.regex(snippet, /proxy_pass http:\/\/127\.0\.0\.1:3000;/)
  t.regex(snippet, /proxy_request_buffering on;/)
  t.regex(readFileSync(join(state, 'gateway.yaml.before'), 'utf8'), new RegExp(www))
})

test('wrong choices are refused before anything is written', async (t) => {
  const { state, init, sotto } = place(t)
  await refused(t, init('nginx', '--name x'), 'E_USAGE', /needs the website/)
  await refused(t, init('nginx', '--site a --upstream http://b'), 'E_USAGE', /exclude each other/)
  await refused(t, init('caddy', '--site a --listen http://127.0.0.1:80'), 'E_USAGE', /unix socket/)
  await refused(t, init('none', '--site a --listen unix:x'), 'E_USAGE', /listens itself/)
  await refused(t, init('nginx', '--upstream b.example'), 'E_USAGE', /--upstream takes/)
  await refused(t, init('nginx', '--site /srv/a$b'), 'E_CONFIG', /^front\.folder: expected a path without/)
  await refused(t, init('nginx', `--site ${import.meta.filename}`), 'E_USAGE', /is none/)
  const named = (domain: string): Promise<string> =>
    sotto(`gateway init --front nginx --site /srv/a --domain ${domain}`)
  for (const domain of [
    'Upper.example',
    'a..example',
    '-a.example',
    `${'a'.repeat(64)}.example`,
    'm\u00fcnchen.example',
  ])
    await refused(t, named(domain), 'E_CONFIG', /^domain: expected a domain in small letters/)
  await refused(t, named(''), 'E_USAGE', /name the website/)
  await refused(t, init('nginx', '--site a --self-signed'), 'E_USAGE', /--self-signed and --acme are for https/)
  await refused(t, sotto('gateway uninstall'), 'E_STATE_UNREADABLE', /no gateway/)
  t.false(existsSync(state))
})

test('an invite names the certificate of the front where no public authority vouches for it', async (t) => {
  const { folder, init, sotto } = place(t)
  const { certificate, key } = await issueCertificate({ folder, domain: 'workshop.example' })
  await init('nginx', `--site ${join(folder, 'www')} --certificate ${certificate} --key ${key}`)
  const link = (await sotto('invite create')).split('\n')[0]!
  t.deepEqual(parseInvite(link, now).gateways[0]?.tls, await certificatePin({ certificate }))

  // The leaf alone could be a public one, which will be another in a few weeks.
  const leaf = join(folder, 'leaf.pem')
  writeFileSync(leaf, readFileSync(certificate, 'utf8').split(/(?<=-----END CERTIFICATE-----\n)/)[0]!)
  t.is(await certificatePin({ certificate: leaf }), undefined)
  const own = { certificate: join(folder, 'own.pem'), key: join(folder, 'own.key') }
  await createSelfSigned('workshop.example', own, new Date(now))
  t.is((await certificatePin(own))?.length, 32)
})

/** Output of a program that looks at a file; undefined where it is not installed. */
function judged(program: string, ...args: string[]): { status: number | null; said: string } | undefined {
  if (!existsSync(program)) return undefined
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

test('systemd finds the unit sound and its exposure low, in every shape', async (t) => {
  for (const [front, site] of [
    ['nginx', '--site /srv/www/x'],
    ['caddy', '--upstream http://127.0.0.1:3000'],
  ] as const) {
    const { etc, init, folder, read } = place(t)
    await init(front, site.replace('/srv/www/x', join(folder, 'www')))
    const unit = join(etc, 'systemd/system/sotto-gateway.service')
    t.regex(read('systemd/system/sotto-gateway.service'), front === 'nginx' ? /Group=www-data/ : /Group=caddy/)
    t.is(/AF_INET6/.test(read('systemd/system/sotto-gateway.service')), front === 'caddy')
    const security = judged('/usr/bin/systemd-analyze', 'security', '--offline=yes', '--threshold=20', unit)
    if (security === undefined) t.log('systemd-analyze is not installed here')
    else t.is(security.status, 0, security.said)
  }
})

test('nftables takes the rules; shells take the renewal hooks', async (t) => {
  const { folder, etc, init, sotto, read } = place(t)
  const { certificate, key } = await issueCertificate({ folder, domain: 'workshop.example' })
  await init(
    'none',
    `--site ${join(folder, 'www')} --certificate ${certificate} --key ${key} --listen https://0.0.0.0:443`,
  )
  const rules = judged('/usr/sbin/nft', '-c', '-f', join(etc, 'nftables.d/sotto-gateway.nft'))
  if (rules === undefined || /Operation not permitted|Protocol not supported/.test(rules.said))
    t.log('nft cannot be asked here')
  else t.is(rules.status, 0, rules.said)
  const hook = 'letsencrypt/renewal-hooks/deploy/sotto-gateway'
  t.is(judged('/bin/sh', '-n', join(etc, hook))?.status, 0)
  t.regex(read(hook), /install -o sotto .*privkey\.pem.*\nsystemctl|install[\s\S]*try-restart sotto-gateway/)
  t.regex(read('systemd/system/sotto-gateway.service'), /AmbientCapabilities=CAP_NET_BIND_SERVICE/)
  t.is(statSync(join(etc, hook)).mode & 0o111, 0o111)
  await sotto('gateway uninstall --yes')
  t.false(existsSync(etc))
})

test('a record that is damaged is named, and nothing is touched', async (t) => {
  const { state, etc, init, sotto } = place(t)
  await init('nginx')
  const file = join(state, 'made.json')
  writeFileSync(file, '{"files":')
  await refused(t, sotto('gateway uninstall --yes'), 'E_STATE_UNREADABLE', /made\.json is damaged/)
  t.true(existsSync(join(etc, 'systemd/system/sotto-gateway.service')))
  chmodSync(file, 0o600)
})
