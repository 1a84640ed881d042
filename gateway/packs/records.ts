/** What the store keeps of template packs: the packs themselves, which are in use, and what was ever done. */
import type { Millis } from '#protocol/bytes.ts'
import { u32, utf8 } from '#protocol/bytes.ts'
import type { PackManifest } from '#protocol/pack.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Table } from '../store/store.ts'

/** Tables that packs need in their store. */
export const PACK_TABLES: readonly string[] = ['packs', 'pack-bodies', 'pack-history']

/** What the operator's machine keeps and compares; members have no part in it but the reports. */
export interface PackKeepLimits {
  /** Packs kept, in use or not. Beyond it the oldest that is not in use is forgotten. 256 KiB each at most. */
  readonly packs: number
  /** Replaced packs still accepted. Attack: every request of a stranger is compared with every live template. */
  readonly retiring: number
  /** Lines of the history; the oldest goes. */
  readonly history: number
  /** Members whose report about one pack is remembered. Attack: memory; 100 octets each. */
  readonly reports: number
}

export const PackKeepLimits: PackKeepLimits = Object.freeze({
  packs: 64,
  retiring: 8,
  history: 1_000,
  reports: 100_000,
})

/** `new`: never used. `failed`: its canaries could not use it. `withdrawn`: taken back by the operator. */
export type Verdict = 'new' | 'canary' | 'promoted' | 'failed' | 'withdrawn'

export interface PackRecord {
  readonly hash: Uint8Array
  readonly manifest: PackManifest
  /** Ids of its templates. */
  readonly templates: readonly string[]
  readonly added: Millis
  readonly verdict: Verdict
  /** Members who said so since the gateway was started. */
  readonly applied: number
  readonly failed: number
}

export interface PackState {
  /** Rises with every change. */
  readonly version: number
  /** No pack with a lower serial is used any more. */
  readonly floor: number
  /** Serial of the newest pack that was ever added. */
  readonly lastSerial: number
  /** Pack that all members use; null: the templates of gateway.yaml. */
  readonly current: Uint8Array | null
  /** Pack that some members try. `until`: when the canary is over, if it went well. */
  readonly canary: { readonly hash: Uint8Array; readonly since: Millis; readonly until: Millis } | null
  /** Packs that were replaced and are still accepted. */
  readonly retiring: readonly { readonly hash: Uint8Array; readonly until: Millis }[]
  /** In order of arrival. */
  readonly packs: readonly PackRecord[]
}

export type PackEvent = 'added' | 'canary' | 'promoted' | 'reverted' | 'rolled-back' | 'expired' | 'retired'

/** One line of the audit log. */
export interface HistoryEntry {
  readonly at: Millis
  readonly event: PackEvent
  /** The pack that it is about. */
  readonly hash: Uint8Array
  readonly serial: number
  readonly by: 'operator' | 'gateway'
  readonly note: string
}

export const emptyState: PackState = Object.freeze({
  version: 0,
  floor: 0,
  lastSerial: 0,
  current: null,
  canary: null,
  retiring: [],
  packs: [],
})

const stateId = utf8('state')
const historyCountId = utf8('history')

export const readState = (table: Table): PackState => read<PackState>(table, stateId) ?? emptyState

/** Inside a transaction. */
export const writeState = (table: Table, state: PackState): void => table.put(stateId, encodeMessage(state))

/** Inside a transaction. */
export function appendHistory(packs: Table, history: Table, entries: readonly HistoryEntry[]): void {
  let count = read<number>(packs, historyCountId) ?? 0
  for (const entry of entries) {
    history.put(u32(count), encodeMessage(entry))
    if (count >= PackKeepLimits.history) history.remove(u32(count - PackKeepLimits.history))
    count++
  }
  packs.put(historyCountId, encodeMessage(count))
}

/** Oldest first. */
export function readHistory(packs: Table, history: Table): HistoryEntry[] {
  const count = read<number>(packs, historyCountId) ?? 0
  const entries: HistoryEntry[] = []
  for (let at = Math.max(0, count - PackKeepLimits.history); at < count; at++) {
    const entry = read<HistoryEntry>(history, u32(at))
    if (entry !== undefined) entries.push(entry)
  }
  return entries
}

function read<T>(table: Table, id: Uint8Array): T | undefined {
  const value = table.get(id)
  return value === undefined ? undefined : (decodeMessage(value) as T)
}
