/**
 * One gateway for one store: mail that waits in memory would split between two. The command line is not bound by it.
 * The record lives in the store, so that taking it is a transaction; a holder that died is recognised by its process id
 * and start time.
 */
import { readFileSync } from 'node:fs'
import { fromUtf8, utf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Store } from './store.ts'

export const HOLDER_TABLE = 'holder'
const holderId: Uint8Array = utf8('gateway')

/** Identity of a running process; undefined where there is none of that id. */
export type Inspect = (pid: number) => string | undefined

/**
 * Takes the store for this process; the result gives it back.
 * @throws SottoError E_STATE_BUSY while another process that lives holds it
 */
export async function holdStore(store: Store, inspect: Inspect = identityOf): Promise<() => Promise<void>> {
  const table = store.table(HOLDER_TABLE)
  const mine = `${process.pid} ${inspect(process.pid)}`
  await store.transaction(() => {
    const pid = holderOf(store, inspect)
    if (pid !== undefined) {
      throw new SottoError('E_STATE_BUSY', `A gateway (process ${pid}) already uses this state folder.`)
    }
    table.put(holderId, utf8(mine))
  })
  return async () => {
    await store.transaction(() => table.remove(holderId), { frees: true })
  }
}

/** Process of the gateway that holds the store; undefined where none does that lives. */
export function holderOf(store: Store, inspect: Inspect = identityOf): number | undefined {
  const holder = fromUtf8(store.table(HOLDER_TABLE).get(holderId) ?? new Uint8Array(0)) ?? ''
  const pid = Number(holder.split(' ', 1)[0])
  return holder !== '' && holder === `${pid} ${inspect(pid)}` ? pid : undefined
}

/** Start time in clock ticks since boot: field 22 of /proc/<pid>/stat, counted behind the name, which may hold spaces. */
function identityOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return undefined
  }
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    // No /proc on this system: the process id alone has to do.
    return 'running'
  }
}
