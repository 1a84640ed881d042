/** Back doors of Node: bindings, add-ons, the debugger, other programs in our place, loaders. */
import { createRequire, register } from 'node:module'
import { join } from 'node:path'
import type { Family } from '../attempt.ts'

const require = createRequire(import.meta.url)
const hidden = process as unknown as Record<string, (...args: unknown[]) => unknown>

export const hiddenRoads: Family = {
  'process.binding': () => hidden.binding!('tcp_wrap'),
  'process._linkedBinding': () => hidden._linkedBinding!('tcp_wrap'),
  'process.dlopen': ({ folder }) => process.dlopen({ exports: {} }, join(folder, 'addon.node')),
  'an add-on by require': () => require('lmdb'),
  'process.execve': ({ v4 }) => {
    // Where it succeeds, this process is no more: the attempt is made where that would be refused first.
    hidden.execve!('/nowhere/curl', ['curl', `http://${v4}/`], {})
  },
  'process._debugProcess': async () => {
    hidden._debugProcess!(process.pid)
    const { url } = await import('node:inspector')
    await new Promise((resolve) => setTimeout(resolve, 200))
    if (url() === undefined) throw new Error('no debugger came of it')
  },
  'inspector.open': async () => {
    const inspector = await import('node:inspector')
    inspector.open(0, '0.0.0.0')
    inspector.close()
  },
  'inspector.Session': async () => {
    const { Session } = await import('node:inspector')
    const session = new Session()
    session.connect()
    session.disconnect()
  },
  'wasi sockets': async () => new (await import('node:wasi')).WASI({ version: 'preview1', preopens: { '/': '/' } }),
  'loader hooks in a thread of their own': () => register('data:text/javascript,export const resolve = null'),
  'process.getBuiltinModule("worker_threads")': () =>
    new (process.getBuiltinModule('node:worker_threads').Worker)('1', { eval: true }),
  'the module cache’s child_process': () => {
    const { spawnSync } = require('node:child_process') as typeof import('node:child_process')
    const { error } = spawnSync('true')
    if (error !== undefined) throw error
  },
  'the address of the proxy that the environment names': async ({ v4 }) => {
    process.env.HTTPS_PROXY = process.env.HTTP_PROXY = process.env.ALL_PROXY = `http://${v4}:3128`
    try {
      await (await import('undici')).request('http://leak.example.org/', {
        dispatcher: new (await import('undici')).EnvHttpProxyAgent(),
      })
    } finally {
      for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY']) delete process.env[name]
    }
  },
}
