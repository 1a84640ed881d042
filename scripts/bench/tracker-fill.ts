/** Fills a tracker's file with synthetic people, each with a record and a question; ends when it is done. */
import { randomFillSync } from 'node:crypto'
import { open } from 'lmdb'
import { u32 } from '#protocol/bytes.ts'
import { QUESTION_LENGTH } from '#protocol/tracker/question.ts'
import { RECORD_LENGTH } from '#protocol/tracker/record.ts'
import { syntheticKey } from './tracker-people.ts'

const [file, count] = process.argv.slice(2) as [string, string]
const people = Number(count)

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

const began = performance.now()
await fill()
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }))
