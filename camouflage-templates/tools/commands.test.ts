/** The commands as they are typed: results, exit statuses, what is written where. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { Command } from 'commander'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import { addTemplateTools } from './commands.ts'

const root = join(import.meta.dirname, '..', '..')
const fixtures = join(root, 'camouflage-templates', 'fixtures')
const model = join(fixtures, 'lint-model.yaml')
const chat = join(fixtures, 'har', 'chat.har')

interface Outcome {
  readonly out: string
  readonly err: string
  readonly status: number
}

async function run(...args: readonly string[]): Promise<Outcome> {
  let out = ''
  let err = ''
  let status = 0
  const program = new Command('sotto')
  addTemplateTools(program.command('templates'), {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    exit: (code) => {
      status = code
    },
    columns: 120,
  })
  await program.parseAsync(['templates', ...args], { from: 'user' })
  return { out, err, status }
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sotto-tools-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

test('learn into a folder: a template that loads, samples of its shapes, what was left out', async (t) => {
  const target = join(folder(t), 'Our site 2')
  const { out } = await run('learn', chat, '--out', target)
  const text = readFileSync(join(target, 'template.yaml'), 'utf8')
  const compiled = compileTemplate(loadTemplate(text, 'template.yaml'))
  t.is(compiled.id, 'our-site-2')
  const names = compiled.shapes.flatMap(({ name }) => [`${name}.request.http`, `${name}.response.http`])
  t.deepEqual(readdirSync(join(target, 'samples')).sort(), names.sort())
  t.regex(out, /POST \/api\/chat\/sync \(\d+\): poll/)
  t.regex(out, /Left out[\s\S]+header authorization: proves who somebody is[\s\S]+Kept word for word[\s\S]+Guessed/)
  const again = await t.throwsAsync(run('learn', chat, '--out', target), { code: 'E_USAGE' })
  t.regex(again?.message ?? '', /there is a template in .* already/)
  const preview = await run('preview', target)
  t.regex(preview.out, /as Sotto writes it +\| a sample/)
  t.is((await run('lint', target)).status, 0)
})

test('learn to standard output: the template alone; with --json one value', async (t) => {
  const plain = await run('learn', chat)
  t.is(compileTemplate(loadTemplate(plain.out, 'out')).id, 'learned')
  t.regex(plain.err, /family chromium/)
  const { out, err } = await run('learn', chat, '--json')
  t.is(err, '')
  const value = JSON.parse(out)
  t.is(value.template, plain.out)
  t.like(value, { family: 'chromium', foreign: 0 })
})

test('learn: a file that is none, or none that can be used', async (t) => {
  const bad = join(folder(t), 'bad.har')
  writeFileSync(bad, '{"log":{"entries":[]}}')
  await t.throwsAsync(run('learn', bad), { code: 'E_LEARN' })
  writeFileSync(bad, 'log')
  await t.throwsAsync(run('learn', bad), { code: 'E_HAR' })
  await t.throwsAsync(run('learn', join(fixtures, 'absent')), { code: 'E_USAGE' })
  writeFileSync(bad, '{"log":{}}')
  await t.throwsAsync(run('learn', bad), { code: 'E_HAR', message: `${bad}: log.entries is missing` })
})

test('learn: a folder that cannot be made is a matter of the file system, and said so', async (t) => {
  const file = join(folder(t), 'file')
  writeFileSync(file, 'of somebody')
  await t.throwsAsync(run('learn', chat, '--out', join(file, 'below')), { code: 'E_FILE', message: /file.below/ })
  t.is(readFileSync(file, 'utf8'), 'of somebody')
})

test('lint: what is wrong with the file as a whole is said of the template', async (t) => {
  const file = join(folder(t), 'bad.yaml')
  for (const [text, found] of [
    ['format: [', 'template: expected valid YAML'],
    ['just words', 'template: expected a mapping'],
  ] as const) {
    writeFileSync(file, text)
    const { out, status } = await run('lint', file)
    t.is(status, 1)
    t.true(out.includes(`\n  ${found}`), out)
  }
})

test('lint: status 0 without errors, 1 with; lines for people, one value for programs', async (t) => {
  const good = await run('lint', model)
  t.deepEqual(good, { out: '1 template: 0 errors, 0 warnings\n', err: '', status: 0 })
  const file = join(folder(t), 'bad.yaml')
  writeFileSync(file, readFileSync(model, 'utf8').replace('"content":"{{sealed}}"', '"title":"{{sealed}}"'))
  const bad = await run('lint', file)
  t.is(bad.status, 1)
  t.regex(
    bad.out,
    /bad\.yaml:\d+: error entropy-in-words\n {2}shapes\.message\.request\.body: .*\n {2}Move .*\n1 template: 1 error, 0 warnings\n$/,
  )
  const json = await run('lint', file, '--json')
  t.is(json.status, 1)
  t.like(JSON.parse(json.out), {
    ok: false,
    templates: [{ file, findings: [{ rule: 'entropy-in-words', severity: 'error' }] }],
  })
})

test('lint: a built-in one by its id, a folder of templates, a folder as the site', async (t) => {
  t.is((await run('lint', 'support-chat')).status, 0)
  t.regex(
    (await run('lint', join(root, 'camouflage-templates', 'templates'))).out,
    /\d+ templates: 0 errors, \d+ warnings\n$/,
  )
  const site = await run('lint', model, '--site', join(root, 'gateway', 'decoy', 'sample-site'))
  t.is(site.status, 1)
  t.regex(site.out, /path-the-site-lacks/)
})

test('wrong usage is E_USAGE', async (t) => {
  for (const args of [['lint'], ['lint', 'no-such'], ['lint', '--bogus', model], ['lint', fixtures], ['nothing']]) {
    await t.throwsAsync(run(...args), { code: 'E_USAGE' }, args.join(' '))
  }
  await t.throwsAsync(run('preview', 'beacon', '--seed', '-1'), { code: 'E_USAGE' })
  await t.throwsAsync(run('try', 'beacon', '--messages', '0'), { code: 'E_USAGE' })
  await t.throwsAsync(run('preview', join(root, 'camouflage-templates', 'templates')), { code: 'E_USAGE' })
})

test('preview --json: wire and sample as lines', async (t) => {
  const value = JSON.parse((await run('preview', 'beacon', '--seed', '3', '--json')).out)
  t.like(value, { template: 'beacon', seed: 3 })
  t.true(
    value.messages.every(
      (each: { wire: string[]; sample: string[] }) => each.wire.length > 3 && each.sample.length > 3,
    ),
  )
})

test('the program itself: statuses 0, 1 and 2', (t) => {
  const status = (...args: readonly string[]): number | null => {
    const { status } = spawnSync(process.execPath, [join(root, 'gateway', 'main.ts'), 'templates', ...args], {
      timeout: 20_000,
    })
    return status
  }
  t.is(status('lint', model), 0)
  t.is(status('lint', model, '--site', fixtures), 1)
  t.is(status('lint', 'no-such'), 2)
  t.is(status('lint', '--bogus'), 2)
  t.is(status('lint', '--help'), 0)
})
