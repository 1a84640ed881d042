import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { keptSeed, seedFor } from './rhythm-seed.ts'

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sotto-seed-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a seed is kept, for its owner alone, and differs with every gateway', (t) => {
  const path = folder(t)
  const seed = keptSeed(path, randomBytes)
  t.deepEqual(keptSeed(path, randomBytes), seed)
  t.is(statSync(join(path, 'rhythm.seed')).mode & 0o777, 0o600)
  t.is(seedFor(seed, 'a').length, 16)
  t.notDeepEqual(seedFor(seed, 'a'), seedFor(seed, 'b'))
  t.notDeepEqual(seedFor(seed, 'a'), seedFor(keptSeed(folder(t), randomBytes), 'a'))
})

test('a seed that was damaged is drawn anew, and one that cannot be written is used all the same', (t) => {
  const path = folder(t)
  writeFileSync(join(path, 'rhythm.seed'), 'short')
  const seed = keptSeed(path, randomBytes)
  t.is(seed.length, 16)
  t.deepEqual(keptSeed(path, randomBytes), seed)
  t.is(keptSeed(join(path, 'not', 'there'), randomBytes).length, 16)
})
