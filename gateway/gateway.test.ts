/** A gateway that cannot start leaves nothing running behind, and its state free for another try. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { isSottoError } from '#protocol/errors.ts'
import { startGateway } from './gateway.ts'
import { liveTemplates } from './live-templates.ts'
import { initState, openState } from './state.ts'

/** Timers that go on and on. */
const ticking = new Set<unknown>()
const { setInterval: set, clearInterval: clear } = globalThis
globalThis.setInterval = ((...how: Parameters<typeof set>) => {
  const timer = set(...how)
  ticking.add(timer)
  return timer
}) as typeof set
globalThis.clearInterval = (timer) => {
  ticking.delete(timer)
  clear(timer)
}

test('a gateway whose site is not there stops trying, and starts once it is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-start-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const site = join(folder, 'site')
  const config = `name: Test
domain: localhost
port: 8443
listen: {unix: ${join(folder, 'gateway.sock')}}
decoy: {folder: ${site}}
templates: [support-chat]
`
  mkdirSync(site)
  writeFileSync(join(site, 'index.html'), '<p>hello')
  await initState(join(folder, 'state'), config)
  rmSync(site, { recursive: true })
  const state = await openState(join(folder, 'state'))
  const log: string[] = []
  const start = () => startGateway({ state, templates: liveTemplates(['support-chat']), log: (line) => log.push(line) })
  const error = await t.throwsAsync(start())
  t.true(isSottoError(error, 'E_CONFIG'), String(error))
  t.is(ticking.size, 0, 'nothing goes on in the background')
  mkdirSync(site)
  writeFileSync(join(site, 'index.html'), '<p>hello')
  const gateway = await start()
  t.true(ticking.size > 0)
  await gateway.stop()
  t.is(ticking.size, 0)
  await state.close()
  t.deepEqual(log, [])
})
