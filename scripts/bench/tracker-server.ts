/** A tracker on a file that is there, without limits for those who measure; tells where it listens, and when asked what it takes. */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { RecordStore } from '#gateway/services/tracker/record-store.ts'
import { Tracker } from '#gateway/services/tracker/tracker.ts'
import { startTrunkServer } from '#gateway/services/tracker/trunk-server.ts'
import { hex } from '#protocol/bytes.ts'

const [folder, host] = process.argv.slice(2) as [string, string]
const file = join(folder, 'records.mdb')
const wide = { lookups: 1e9, lookupBurst: 1e9, writes: 1e9, writeBurst: 1e9, workBits: 0 }
const limits = { ...wide, bytes: 40 * 1024 ** 3 }
const say = (value: unknown): void => console.log(JSON.stringify(value))
const store = await RecordStore.open({ file, limits })
const secret = createHash('sha256').update('benchmark').digest()
const onFault = (error: unknown): void => console.error(error)
const tracker = new Tracker({ secret: new Uint8Array(secret), store, now: Date.now, limits, onFault })
const server = await startTrunkServer({ tracker, secret: new Uint8Array(secret), host, port: 0 })
say({ port: server.port, key: hex(tracker.publicKey) })

/** Megabytes of a kind of resident memory. */
function resident(kind: 'RssAnon' | 'RssFile'): number {
  const line = new RegExp(`^${kind}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1_024
}

for await (const _ of createInterface({ input: process.stdin })) {
  const { bytes } = store.counts()
  const { user, system } = process.cpuUsage()
  const cpu = (user + system) / 1e6
  say({
    cpu,
    anon: resident('RssAnon'),
    mapped: resident('RssFile'),
    used: bytes,
    allocated: statSync(file).blocks * 512,
  })
}
await server.close()
await store.close()
