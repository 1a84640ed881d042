/**
 * The template packs of a gateway, in its store: what the operator's commands change and the running gateway watches.
 * Every change is one transaction with its lines in the audit log.
 */
import { compileSet } from '#engine/compile-set.ts'
import type { Millis } from '#protocol/bytes.ts'
import { hex } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { openPack } from '#protocol/pack.ts'
import type { Store, Table } from '../store/store.ts'
import type { HistoryEntry, PackRecord, PackState } from './records.ts'
import { appendHistory, readHistory, readState, writeState } from './records.ts'
import type { Step, Tally } from './rotation.ts'
import { add, recordOf, rollBack, rotate, settle } from './rotation.ts'

export interface RotateOptions {
  /** Promote without a canary. */
  readonly atOnce: boolean
  /** How long canaries try it, milliseconds. */
  readonly watchMs: number
  readonly now: Millis
}

export class Packs {
  private readonly store: Store
  private readonly root: Uint8Array
  private readonly records: Table
  private readonly bodies: Table
  private readonly log: Table

  /** `store`: opened with `PACK_TABLES` among its tables. `root`: public key that packs are signed under. */
  constructor(store: Store, root: Uint8Array) {
    this.store = store
    this.root = root
    this.records = store.table('packs')
    this.bodies = store.table('pack-bodies')
    this.log = store.table('pack-history')
  }

  state(): PackState {
    return readState(this.records)
  }

  /** Octets of a pack; undefined for one that is not kept. */
  body(hash: Uint8Array): Uint8Array | undefined {
    return this.bodies.get(hash)
  }

  /** Oldest first. */
  history(): HistoryEntry[] {
    return readHistory(this.records, this.log)
  }

  /**
   * Takes a pack in: its signatures are checked and all its templates compiled first.
   * @throws SottoError E_PACK_FORMAT, E_PACK_SIGNATURE, E_PACK_EXPIRED, E_PACK_FLOOR; TemplateError E_TEMPLATE
   */
  async add(bytes: Uint8Array, now: Millis): Promise<PackRecord> {
    const { hash, manifest, templates } = openPack(bytes, { root: this.root, now, floor: this.state().floor })
    const ids = compileSet(templates, 'pack').map(({ id }) => id)
    const record: PackRecord = {
      ...{ hash, manifest, templates: ids, added: now },
      ...{ verdict: 'new', applied: 0, failed: 0 },
    }
    await this.change((state) => {
      const step = add(state, record, { now, by: 'operator' })
      if (step.state !== state) this.bodies.put(hash, bytes)
      return step
    })
    return recordOf(this.state(), hash)!
  }

  /**
   * The pack that an operator means: by the beginning of its hash, by its serial, or, without a name, the newest.
   * @throws SottoError E_PACK_UNKNOWN
   */
  find(name: string | undefined): PackRecord {
    const { packs } = this.state()
    const fitting =
      name === undefined
        ? packs.slice(-1)
        : packs.filter(
            ({ hash, manifest }) =>
              String(manifest.serial) === name || (name.length >= 6 && hex(hash).startsWith(name)),
          )
    if (fitting.length === 1) return fitting[0]!
    const what = name === undefined ? 'There is no pack yet' : `${fitting.length} packs fit ${JSON.stringify(name)}`
    throw new SottoError('E_PACK_UNKNOWN', `${what}.`)
  }

  /** @throws SottoError E_PACK_UNKNOWN, E_PACK_BUSY, E_PACK_EXPIRED, E_PACK_FLOOR */
  async rotate(name: string | undefined, { atOnce, watchMs, now }: RotateOptions): Promise<PackState> {
    const pack = this.find(name)
    return await this.change((state) => rotate(state, pack, { atOnce, watchMs, now, by: 'operator' }))
  }

  /** @throws SottoError E_PACK_UNKNOWN, E_PACK_BUSY, E_PACK_EXPIRED, E_PACK_FLOOR */
  async rollBack(name: string | undefined, now: Millis): Promise<PackState> {
    const target = name === undefined ? undefined : this.find(name)
    return await this.change((state) => rollBack(state, target, { now, by: 'operator' }))
  }

  /** What is due by itself; see `settle`. */
  async settle(tally: Tally, now: Millis): Promise<PackState> {
    return await this.change((state) => settle(state, tally, now))
  }

  /** Writes down what members have said of a pack. */
  async count(hash: Uint8Array, { applied, failed }: Tally): Promise<void> {
    await this.change((state) => {
      const before = recordOf(state, hash)
      if (before === undefined || (before.applied === applied && before.failed === failed)) return { state, log: [] }
      const packs = state.packs.map((pack) => (pack === before ? { ...pack, applied, failed } : pack))
      return { state: { ...state, packs }, log: [] }
    })
  }

  /** Runs `step` on the state as it is on disk; the packs it forgets lose their octets. */
  private async change(step: (state: PackState) => Step): Promise<PackState> {
    return await this.store.transaction(() => {
      const before = this.state()
      const { state, log } = step(before)
      if (state === before) return before
      const next = { ...state, version: before.version + 1 }
      for (const { hash } of before.packs) if (recordOf(next, hash) === undefined) this.bodies.remove(hash)
      writeState(this.records, next)
      appendHistory(this.records, this.log, log)
      return next
    })
  }
}
