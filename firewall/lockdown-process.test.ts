/** The second line, in a process of its own: every road is tried, refused and told; what there is leave for works. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { preparedFolder } from './fixtures/prepared.ts'

interface Line {
  readonly name: string
  readonly outcome: string
  readonly reported: readonly { readonly call: string; readonly origin: string }[]
}

/** What ends otherwise than by our own refusal: the language's, and libraries that keep the reason to themselves. */
const otherwise: Readonly<Record<string, RegExp>> = {
  'the method, put back': /^TypeError/,
  'the method, deleted': /^TypeError/,
  'what a report leaves out, put back': /^TypeError/,
  'undici.EventSource': /^Error: refused$/,
}

test('locked down: every road but the one is closed, and who tried is told', (t) =>
  triesEveryRoad(t, join(import.meta.dirname, 'fixtures', 'locked.ts')))

test('the same where the program is prepared', async (t) => {
  t.timeout(600_000)
  const file = 'firewall/fixtures/locked.ts'
  const folder = await preparedFolder(t, { locked: [file] }, { locked: ['locked', file] })
  await triesEveryRoad(t, join(folder, 'locked.cjs'))
})

async function triesEveryRoad(t: ExecutionContext, fixture: string): Promise<void> {
  let caught = 0
  const server = createServer((socket) => {
    caught++
    socket.on('error', () => {}).destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => void server.close())
  const { port } = server.address() as AddressInfo
  const { stdout } = await promisify(execFile)(process.execPath, [fixture, String(port)])
  const lines: Line[] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const tried = lines.filter(({ name }) => !(name.startsWith('leave: ') || allowed.has(name)))
  t.true(tried.length >= 60, String(tried.length))
  for (const { name, outcome, reported } of tried) {
    t.regex(outcome, otherwise[name] ?? /^E_FIREWALL_REFUSED$/, name)
    if (outcome.startsWith('TypeError')) continue
    t.is(reported.length, 1, `one report of «${name}»`)
    t.regex(reported[0]!.call, /^[\w:./]+$/, name)
    const where = /roads\.ts|node_modules\/undici/
    t.regex(reported[0]!.origin, changesLanguage.has(name) ? /./ : where, name)
  }
  const free = lines.filter((line) => !tried.includes(line))
  t.is(free.length, 8)
  for (const { name, outcome, reported } of free) {
    t.is(outcome, 'done', name)
    t.deepEqual(reported, [], name)
  }
  t.is(caught, 2, 'the connections that there was leave for')
}

/** What reads the stack for people may fail then; the refusal may not. */
const changesLanguage: ReadonlySet<string> = new Set([
  'node:wasi in a language that is changed elsewhere',
  'dns.lookup where lists begin elsewhere',
  'an add-on where every text begins alike',
])

const allowed: ReadonlySet<string> = new Set([
  'an address is no question',
  'the add-on of the list',
  'random octets and the console',
])
