import { cp, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { temporaryFolder } from '#test/helpers/command.ts'
import { placeOf, samePlace } from './place.ts'

test('a folder that is moved is the same; a copy of it is another, and so is what is written anew', async (t) => {
  const folder = await temporaryFolder(t)
  const [state, moved, copy] = ['state', 'moved', 'copy'].map((name) => join(folder, name))
  await mkdir(state!)
  await writeFile(join(state!, 'chat.db'), 'as it was')
  const place = placeOf(state!)
  t.true(samePlace(place, placeOf(state!)))
  await writeFile(join(state!, 'chat.db'), 'as it is now')
  await writeFile(join(state!, 'device.key'), 'beside it')
  t.true(samePlace(place, placeOf(state!)), 'its content does not matter')
  await cp(state!, copy!, { recursive: true, preserveTimestamps: true })
  t.false(samePlace(place, placeOf(copy!)))
  await rename(state!, moved!)
  t.true(samePlace(place, placeOf(moved!)))
})

test('the same inode, used again, was born at another time; where that is not known, the inode decides', (t) => {
  const place = (inode: number, born: number): Uint8Array => {
    const octets = Buffer.alloc(16)
    octets.writeBigUInt64BE(BigInt(inode))
    octets.writeBigUInt64BE(BigInt(born), 8)
    return octets
  }
  t.true(samePlace(place(1, 5), place(1, 5)))
  t.false(samePlace(place(1, 5), place(1, 6)))
  t.false(samePlace(place(1, 5), place(2, 5)))
  t.true(samePlace(place(1, 0), place(1, 6)))
  t.true(samePlace(place(1, 5), place(1, 0)))
  t.false(samePlace(place(1, 0), place(2, 0)))
})
