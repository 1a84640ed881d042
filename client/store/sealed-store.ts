/** The store on SQLite. Every name and value is hidden before SQLite sees it, so its files and journal hold nothing else. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Random } from '#protocol/bytes.ts'
import { stateFault, unreadable } from './faults.ts'
import type { ListOptions, Place, Row, Store } from './store.ts'
import { type TableSeal, tableSeal } from './table-seal.ts'

interface Table {
  readonly seal: TableSeal
  readonly get: StatementSync
  readonly put: StatementSync
  readonly delete: StatementSync
  readonly deleteGroup: StatementSync
  readonly position: StatementSync
  readonly ascending: StatementSync
  readonly descending: StatementSync
  readonly shift: StatementSync
}

/** Statements that make the tables and their indexes where they are missing. */
export function tableSchema(tables: readonly string[]): string {
  return tables
    .map(
      (name) => `
        CREATE TABLE IF NOT EXISTS ${name} (name BLOB PRIMARY KEY, list BLOB, position INTEGER, value BLOB NOT NULL);
        CREATE INDEX IF NOT EXISTS ${name}_order ON ${name} (list, position) WHERE list IS NOT NULL;`,
    )
    .join('')
}

function prepare(database: DatabaseSync, name: string, seal: TableSeal): Table {
  const list = (order: string): StatementSync =>
    database.prepare(`SELECT name, position, value FROM ${name}
      WHERE list = ? AND position > ? AND position < ? ORDER BY position ${order} LIMIT ?`)
  return {
    seal,
    get: database.prepare(`SELECT value FROM ${name} WHERE name = ?`),
    put: database.prepare(`INSERT INTO ${name} (name, list, position, value) VALUES (?, ?, ?, ?)
      ON CONFLICT (name) DO UPDATE SET list = excluded.list, position = excluded.position, value = excluded.value`),
    delete: database.prepare(`DELETE FROM ${name} WHERE name = ?`),
    deleteGroup: database.prepare(`DELETE FROM ${name} WHERE list = ?`),
    position: database.prepare(`SELECT position FROM ${name} WHERE name = ?`),
    ascending: list('ASC'),
    descending: list('DESC'),
    shift: database.prepare(`UPDATE ${name} SET position = position + ? WHERE list = ? AND position > ?`),
  }
}

export class SealedStore implements Store {
  private readonly database: DatabaseSync
  private readonly tables = new Map<string, Table>()
  private changed = false

  /** The tables of `tableSchema` must be there. */
  constructor(database: DatabaseSync, tables: readonly string[], deviceKey: Uint8Array, random: Random) {
    this.database = database
    for (const name of tables) this.tables.set(name, prepare(database, name, tableSeal(name, deviceKey, random)))
  }

  transaction<T>(work: () => T): T {
    if (this.database.isTransaction) throw new RangeError('a transaction inside a transaction')
    return this.guarded('write the chat state', () => {
      this.database.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        this.database.exec('COMMIT')
        this.changed = true
        return result
      } finally {
        // Also where SQLite could not commit, or has rolled back by itself.
        if (this.database.isTransaction) this.database.exec('ROLLBACK')
      }
    })
  }

  get isWriting(): boolean {
    return this.database.isTransaction
  }

  get(table: string, key: Uint8Array): Uint8Array | undefined {
    return this.guarded('read the chat state', () => {
      const { seal, get } = this.table(table)
      const name = seal.rowName(key)
      const row = get.get(name)
      return row === undefined ? undefined : opened(table, seal, name, row.value)
    })
  }

  put(table: string, key: Uint8Array, value: Uint8Array, place?: Place): void {
    const { seal, put } = this.writable(table)
    const name = seal.rowName(key)
    const list = place === undefined ? null : seal.groupName(place.group)
    put.run(name, list, place?.position ?? null, seal.seal(name, value))
  }

  delete(table: string, key: Uint8Array): void {
    const { seal, delete: statement } = this.writable(table)
    statement.run(seal.rowName(key))
  }

  deleteGroup(table: string, group: Uint8Array): void {
    const { seal, deleteGroup } = this.writable(table)
    deleteGroup.run(seal.groupName(group))
  }

  position(table: string, key: Uint8Array): number | undefined {
    return this.guarded('read the chat state', () => {
      const { seal, position } = this.table(table)
      return (position.get(seal.rowName(key))?.position ?? undefined) as number | undefined
    })
  }

  list(table: string, group: Uint8Array, options: ListOptions): Row[] {
    return this.guarded('read the chat state', () => {
      const { seal, ascending, descending } = this.table(table)
      const statement = options.order === 'ascending' ? ascending : descending
      const above = options.above ?? Number.MIN_SAFE_INTEGER
      const below = options.below ?? Number.MAX_SAFE_INTEGER
      return statement.all(seal.groupName(group), above, below, options.limit).map((row) => ({
        position: row.position as number,
        value: opened(table, seal, row.name as Uint8Array, row.value),
      }))
    })
  }

  shift(table: string, group: Uint8Array, above: number, by: number): void {
    const { seal, shift } = this.writable(table)
    shift.run(by, seal.groupName(group), above)
  }

  tidy(): void {
    if (!this.changed) return
    this.changed = false
    this.guarded('tidy the chat state', () => this.database.exec('PRAGMA wal_checkpoint(TRUNCATE)'))
  }

  close(): void {
    if (this.database.isOpen) this.database.close()
  }

  private table(name: string): Table {
    const table = this.tables.get(name)
    if (table === undefined) throw new RangeError(`no table ${name}`)
    return table
  }

  private writable(name: string): Table {
    if (!this.database.isTransaction) throw new RangeError(`a change of ${name} outside a transaction`)
    return this.table(name)
  }

  private guarded<T>(doing: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw stateFault(error, doing)
    }
  }
}

function opened(table: string, seal: TableSeal, name: Uint8Array, sealed: unknown): Uint8Array {
  const value = sealed instanceof Uint8Array ? seal.open(name, sealed) : undefined
  if (value === undefined)
    throw unreadable(`A stored row of ${table} is damaged or was sealed with another device key.`)
  return value
}
