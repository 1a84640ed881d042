import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import test from 'ava'
import { draftOf } from '#firewall/file-grants.ts'
import type { SottoError } from '#protocol/errors.ts'
import { temporaryFolder } from '#test/helpers/command.ts'
import { watchFaultPoints } from '../chat/fixtures/fault-points.ts'
import { writeAllNew, writeNew } from './files.ts'

/** Points passed since the last `dieAt`, and the one after which nothing is done any more, as after `kill -9`. */
let passed = 0
let last = 0
const dieAt = (point: number): void => {
  passed = 0
  last = point
}
watchFaultPoints(() => {
  if (++passed >= last && last > 0) throw new Error('killed')
})

/** What goes on behind the point does nothing, so an end of it is no sign of success. */
function killed(work: () => void): void {
  try {
    work()
  } catch {
    // As it must.
  }
}

test.beforeEach(() => dieAt(0))

const CORE = '/state/core'
const CONTENT = 'a backup, whole'
const contentOf = (path: string): string | undefined =>
  fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : undefined

test.serial('killed anywhere, a file is whole or not there, and the next try is not in its own way', async (t) => {
  const path = join(await temporaryFolder(t), 'backup')
  dieAt(0)
  writeNew(path, CONTENT, CORE)
  const points = passed
  t.true(points > 10, `${points}`)
  let [absent, whole] = [0, 0]
  for (let point = 1; point <= points; point++) {
    fs.rmSync(path, { force: true })
    dieAt(point)
    killed(() => writeNew(path, CONTENT, CORE))
    dieAt(0)
    const left = contentOf(path)
    t.true(left === undefined || left === CONTENT, `${point}: ${left}`)
    if (left === undefined) absent++
    else whole++
    if (left === undefined) writeNew(path, CONTENT, CORE)
    t.is(contentOf(path), CONTENT)
  }
  t.true(absent > 0 && whole > 0, `${absent} ${whole}`)
})

test.serial(
  'three files: none without the others where one cannot be written, each whole where it ends in the middle',
  async (t) => {
    const folder = await temporaryFolder(t)
    const paths = ['1', '2', '3'].map((name) => join(folder, name))
    const files = paths.map((path) => [path, CONTENT] as const)
    fs.writeFileSync(paths[2]!, 'mine')
    const error = t.throws<SottoError>(() => writeAllNew(files, CORE))
    t.is(error.code, 'E_FILE')
    t.deepEqual(fs.readdirSync(folder), ['3'])
    fs.rmSync(paths[2]!)
    dieAt(0)
    writeAllNew(files, CORE)
    const points = passed
    t.deepEqual(fs.readdirSync(folder), ['1', '2', '3'])
    for (let point = 1; point <= points; point++) {
      for (const path of paths) fs.rmSync(path, { force: true })
      dieAt(point)
      killed(() => writeAllNew(files, CORE))
      dieAt(0)
      for (const path of paths) t.true([undefined, CONTENT].includes(contentOf(path)), `${point}`)
    }
  },
)

test.serial('a link in the place of the file, or of its draft, is not followed', async (t) => {
  const folder = await temporaryFolder(t)
  const [path, other] = [join(folder, 'backup'), join(folder, 'other')]
  fs.symlinkSync(other, path)
  t.throws(() => writeNew(path, CONTENT, CORE), { code: 'E_FILE' })
  fs.rmSync(path)
  fs.symlinkSync(other, draftOf(path, CORE))
  writeNew(path, CONTENT, CORE)
  t.is(contentOf(path), CONTENT)
  t.false(fs.lstatSync(path).isSymbolicLink())
  t.false(fs.existsSync(other))
})

test.serial('where there are no links, as on a stick: the same, and nothing is replaced', async (t) => {
  const path = join(await temporaryFolder(t), 'backup')
  const real = fs.linkSync
  fs.linkSync = () => {
    throw Object.assign(new Error('no links'), { code: 'EPERM' })
  }
  syncBuiltinESMExports()
  t.teardown(() => {
    fs.linkSync = real
    syncBuiltinESMExports()
  })
  writeNew(path, CONTENT, CORE)
  t.is(contentOf(path), CONTENT)
  t.is(fs.statSync(path).mode & 0o777, 0o600)
  t.throws(() => writeNew(path, 'another', CORE), { code: 'E_FILE' })
  t.is(contentOf(path), CONTENT)
  t.deepEqual(fs.readdirSync(join(path, '..')), ['backup'])
})
