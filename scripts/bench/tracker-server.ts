/** A tracker with as many synthetic people as are asked for; tells what it has filled, then where it listens, then what it takes. */
import { createHash, randomFillSync } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { open } from 'lmdb'
import { RecordStore } from '#gateway/services/tracker/record-store.ts'
import { Tracker } from '#gateway/services/tracker/tracker.ts'
import { startTrunkServer } from '#gateway/services/tracker/trunk-server.ts'
import { u32 } from '#protocol/bytes.ts'
import { QUESTION_LENGTH } from '#protocol/tracker/question.ts'
import { RECORD_LENGTH } from '#protocol/tracker/record.ts'
import { syntheticKey } from './tracker-people.ts'

const [folder, host, count] = process.argv.slice(2) as [string, string, string]
const people = Number(count)
const file = join(folder, 'records.mdb')
const wide = { lookups: 1e9, lookupBurst: 1e9, writes: 1e9, writeBurst: 1e9, workBits: 0 }
const limits = { ...wide, bytes: 40 * 1024 ** 3 }
/** Like a record to the store and to the eye: a head that holds, and the rest random. */
function syntheticRecord(): Buffer {
  const record = randomFillSync(Buffer.alloc(RECORD_LENGTH))
  record.set([1, 1, ...u32(3_000), ...u32(1), ...u32(Math.floor(Date.now() / 60_000) + 1_440)])
  return record
}

/**
 * Straight into the file, flushed once at the end; in an order that has nothing to do with that of the keys, as people come.
 * Changes become small towards the end, as they are while it serves: each leaves as many free pages as it has written.
 */
async function fill(): Promise<void> {
  const raw = { encoding: 'binary', keyEncoding: 'binary' } as const
  const mode = { noSync: true, permissionsMode: 0o600 } as object
  const root = open<Buffer, Uint8Array>({ ...raw, ...mode, path: file, noSubdir: true, maxDbs: 3 })
  const [records, questions] = ['records', 'questions'].map((name) => root.openDB<Buffer, Uint8Array>(name, raw))
  for (let at = 0; at < people; ) {
    const batch = Math.min(people - at, Math.max(1_000, Math.min(50_000, Math.floor((people - at) / 20))))
    root.transactionSync(() => {
      for (let i = at; i < at + batch; i++) {
        const key = syntheticKey(i)
        records!.putSync(key, syntheticRecord())
        questions!.putSync(key, randomFillSync(Buffer.alloc(QUESTION_LENGTH)))
      }
    })
    at += batch
  }
  await root.flushed
  await root.close()
}

const say = (value: unknown): void => console.log(JSON.stringify(value))
const began = performance.now()
await fill()
const store = await RecordStore.open({ file, limits })
const { bytes, records, questions } = store.counts()
const allocated = (): number => statSync(file).blocks * 512
say({ seconds: (performance.now() - began) / 1000, used: bytes, allocated: allocated(), records, questions })

const secret = createHash('sha256').update('benchmark').digest()
const onFault = (error: unknown): void => console.error(error)
const tracker = new Tracker({ secret: new Uint8Array(secret), store, now: Date.now, limits, onFault })
const server = await startTrunkServer({ tracker, secret: new Uint8Array(secret), host, port: 0 })
say({ port: server.port, key: Buffer.from(tracker.publicKey).toString('hex') })

/** Megabytes of a kind of resident memory. */
function resident(kind: 'RssAnon' | 'RssFile'): number {
  const line = new RegExp(`^${kind}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1_024
}

for await (const _ of createInterface({ input: process.stdin })) {
  say({ anon: resident('RssAnon'), mapped: resident('RssFile'), cpu: process.cpuUsage(), allocated: allocated() })
}
await server.close()
await store.close()
