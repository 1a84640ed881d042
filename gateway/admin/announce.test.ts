import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { Command } from 'commander'
import { openState } from '#gateway/state.ts'
import { hex } from '#protocol/bytes.ts'
import { isSignedUnder, isValidAt, parseGatewayList } from '#protocol/gateway-list.ts'
import { gatewayListService } from '../services/gateways.ts'
import { registerAdminCommands } from './commands.ts'

const start = Date.parse('2026-05-01T12:00:00Z')

async function place(t: ExecutionContext) {
  const root = mkdtempSync(join(tmpdir(), 'sotto-announce-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const state = join(root, 'state')
  const around = { now: start }
  const sotto = async (...args: string[]): Promise<string> => {
    let printed = ''
    const program = new Command('sotto').exitOverride()
    const out = (text: string): void => {
      printed += text
    }
    const rest = { terminal: false, confirm: async () => false, status: () => {} }
    registerAdminCommands(program, { out, now: () => around.now, ...rest })
    await program.parseAsync([...args, '--state', state], { from: 'user' })
    return printed
  }
  await sotto('gateway', 'init', '--domain', 'workshop.example', '--listen', 'http://127.0.0.1:8080')
  const served = (): Promise<{ list: Uint8Array }> =>
    gatewayListService(state).unary['gateways.list']!({}, { member: 'm', role: 'member' }) as Promise<{
      list: Uint8Array
    }>
  return { root, state, sotto, around, served }
}

test('a gateway prints its line; lines in a file become a list that members take', async (t) => {
  const { root, state, sotto, around, served } = await place(t)
  t.is((await served()).list.length, 0, 'none yet')
  const line = await sotto('gateway', 'announce')
  const file = join(root, 'places.yaml')
  writeFileSync(file, `${line}- {host: second.example, port: 443, addresses: [192.0.2.7], key: "${'ab'.repeat(32)}"}\n`)
  t.regex(await sotto('gateway', 'announce', '--places', file), /gateways\.list: 2 gateways\.\n$/)
  const { list: bytes } = await served()
  const opened = await openState(state)
  t.teardown(() => opened.close())
  t.true(isSignedUnder(opened.packRoot, bytes))
  const list = parseGatewayList(bytes)!
  t.true(isValidAt(list, start))
  t.deepEqual(
    list.gateways.map(({ host, key }) => [host, hex(key)]),
    [
      ['workshop.example', hex(opened.gatewayKey)],
      ['second.example', 'ab'.repeat(32)],
    ],
  )
  around.now += 5_000
  const said = JSON.parse(await sotto('gateway', 'announce', '--places', file, '--days', '1', '--json'))
  t.is(said.version, list.version + 5, 'a later one replaces it')
  t.is(parseGatewayList((await served()).list)!.until, said.version + 86_400)
})

test('a list can be signed where the root key is; what cannot be is refused and changes nothing', async (t) => {
  const { root, state, sotto, served } = await place(t)
  const elsewhere = join(root, 'root.key')
  writeFileSync(elsewhere, readFileSync(join(state, 'pack-root.key')), { mode: 0o600 })
  rmSync(join(state, 'pack-root.key'))
  const file = join(root, 'places.yaml')
  writeFileSync(file, await sotto('gateway', 'announce'))
  await t.throwsAsync(sotto('gateway', 'announce', '--places', file), { code: 'E_PACK_KEY' })
  await sotto('gateway', 'announce', '--places', file, '--root-key', elsewhere)
  const good = (await served()).list
  t.is(parseGatewayList(good)!.gateways.length, 1)
  for (const text of ['what', '- {host: X}', `- {host: a.example, port: 443, addresses: [], key: "abcd"}`]) {
    writeFileSync(file, text)
    const args = ['gateway', 'announce', '--places', file, '--root-key', elsewhere]
    await t.throwsAsync(sotto(...args), { code: 'E_CONFIG' }, text)
  }
  t.deepEqual((await served()).list, good)
  writeFileSync(join(state, 'gateways.list'), new Uint8Array(20_000))
  t.is((await served()).list.length, 0, 'what no member would look at is not sent')
})
