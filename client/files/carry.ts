/** The pieces of one file, carried to a gateway or from one. What is there already is not carried again. */
import { Pieces } from '#client/chat/files/pieces.ts'
import { isInMap } from '#protocol/blobs.ts'
import { inParallel } from './in-parallel.ts'
import type { BlobPort, OwnPlace, Place } from './ports.ts'
import type { Transfer } from './transfer.ts'
import { damaged } from './trouble.ts'
import type { Vault } from './vault.ts'

/** Pieces of a file on their way at once: half a megabyte of memory, and of what a slow path has to get through. */
const WINDOW = 16
/** Pieces opened until others have their turn. */
const TURN = 32

export interface CarryParts {
  readonly blobs: BlobPort
  readonly vault: Vault
  /** Throws where it is not wanted any more. */
  readonly stillWanted: () => void
  /** So many pieces have arrived. Throws as well. */
  readonly arrived: (count: number) => void
}

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** @throws SottoError E_FILE_DAMAGED where what we keep is; what the port rejects with */
export async function carryOut(transfer: Transfer, place: Place, { blobs, vault, arrived }: CarryParts): Promise<void> {
  const { id, key, size, blob, name, noStore = false } = transfer
  const pieces = new Pieces(key, size)
  const map = await blobs.begin(place, blob, pieces.count, noStore)
  const missing = indexes(pieces.count).filter((index) => !isInMap(map, index))
  let done = pieces.count - missing.length
  arrived(done)
  await inParallel(missing, WINDOW, async (index) => {
    const piece = vault.get(id, index)
    if (piece === undefined || pieces.open(index, piece) === undefined) throw damaged(name)
    await blobs.put(place, blob, index, piece)
    arrived(++done)
  })
}

/** @throws SottoError E_FILE_DAMAGED where what came is; what the port rejects with */
export async function carryIn(
  transfer: Transfer,
  place: OwnPlace,
  { blobs, vault, stillWanted, arrived }: CarryParts,
): Promise<void> {
  const { id, key, size, blob, name } = transfer
  const pieces = new Pieces(key, size)
  const missing = await missingOf(transfer, vault)
  let done = pieces.count - missing.length
  arrived(done)
  await inParallel(missing, WINDOW, async (index) => {
    const piece = await blobs.get(place, blob, index)
    if (piece === undefined || pieces.open(index, piece) === undefined) throw damaged(name)
    stillWanted()
    vault.put(id, index, piece)
    arrived(++done)
  })
}

/** Pieces that are not here, or not whole: each is opened, so no note of them is kept that could be wrong. */
export async function missingOf({ id, key, size }: Transfer, vault: Vault): Promise<number[]> {
  const pieces = new Pieces(key, size)
  const missing: number[] = []
  for (const index of indexes(pieces.count)) {
    const piece = vault.get(id, index)
    if (piece === undefined || pieces.open(index, piece) === undefined) missing.push(index)
    if (index % TURN === TURN - 1) await vault.othersFirst()
  }
  return missing
}

/** What is in a file that is here. @throws SottoError E_FILE_DAMAGED */
export async function* contentOf({ id, key, size, name }: Transfer, vault: Vault): AsyncGenerator<Uint8Array> {
  const pieces = new Pieces(key, size)
  for (let index = 0; pieces.lengthOf(index) > 0; index++) {
    const piece = vault.get(id, index)
    const content = piece && pieces.open(index, piece)
    if (content === undefined) throw damaged(name)
    yield content
    if (index % TURN === TURN - 1) await vault.othersFirst()
  }
}
