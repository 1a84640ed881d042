import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import fc from 'fast-check'
import { systemWay } from '../way-out.ts'
import { ordered, race } from './happy-eyeballs.ts'

test('families in turn, IPv6 first; what worked last goes before all', (t) => {
  t.deepEqual(ordered(['1.1.1.1', '2.2.2.2', '::1', '::2', '::3'], undefined), [
    '::1',
    '1.1.1.1',
    '::2',
    '2.2.2.2',
    '::3',
  ])
  t.deepEqual(ordered(['1.1.1.1', '2.2.2.2'], undefined), ['1.1.1.1', '2.2.2.2'])
  t.deepEqual(ordered(['1.1.1.1', '2.2.2.2', '::1'], '2.2.2.2'), ['2.2.2.2', '::1', '1.1.1.1'])
  t.deepEqual(ordered(['1.1.1.1'], '9.9.9.9'), ['1.1.1.1'])
})

test('no address is lost and none comes twice', (t) => {
  const addresses = fc.uniqueArray(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 12 })
  fc.assert(
    fc.property(addresses, fc.nat(11), (list, at) => {
      t.deepEqual([...ordered(list, list[at])].toSorted(), [...list].toSorted())
    }),
  )
})

async function listening(host: string, port = 0) {
  const server = createServer((socket) => socket.on('error', () => {})).listen(port, host)
  await once(server, 'listening')
  return server
}

/** A port of 127.0.0.9 where the system takes no more connections and refuses none: its program does not accept. */
async function silentPort(t: ExecutionContext): Promise<number> {
  const program = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.9', backlog: 1 }, function () {
    require('node:fs').writeSync(1, String(this.address().port))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill('SIGKILL'))
  const port = Number((await once(child.stdout, 'data'))[0])
  for (let i = 0; i < 2; i++) {
    const filler = connect(port, '127.0.0.9')
    t.teardown(() => void filler.destroy())
    await once(filler, 'connect')
  }
  return port
}

test('what does not answer holds nobody up', async (t) => {
  const port = await silentPort(t)
  const server = await listening('127.0.0.1', port)
  t.teardown(() => void server.close())
  const options = { way: systemWay, name: 'Test', attemptDelayMs: 20 }
  const { socket, address } = await race(['127.0.0.9', '127.0.0.1'], port, { timeoutMs: 1_000_000, ...options })
  t.is(address, '127.0.0.1')
  t.is(socket.remoteAddress, '127.0.0.1')
  socket.destroy()
  await t.throwsAsync(race(['127.0.0.9'], port, { timeoutMs: 50, ...options }), { code: 'E_PATH_TIMEOUT' })
})

test('a refused one lets the next begin at once', async (t) => {
  const server = await listening('127.0.0.1')
  t.teardown(() => void server.close())
  const { port } = server.address() as AddressInfo
  const begun = await race(['127.0.0.7', '127.0.0.8', '127.0.0.1'], port, {
    ...{ timeoutMs: 20_000, way: systemWay, name: 'Test', attemptDelayMs: 1_000_000 },
  })
  t.is(begun.address, '127.0.0.1')
  begun.socket.destroy()
})

test('nobody listens: the reason is told', async (t) => {
  const server = await listening('127.0.0.1')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  await t.throwsAsync(race(['127.0.0.1', '127.0.0.2'], port, { timeoutMs: 20_000, way: systemWay, name: 'Test' }), {
    code: 'E_PATH_REFUSED',
  })
})
