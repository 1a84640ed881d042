/**
 * The audit log: one JSON line for each decision of the firewall, only ever appended. Endpoints by id, so that the file
 * tells a thief neither hosts nor people. Two files of bounded size; a flood is counted instead of written.
 */
import { appendFile, rename, stat } from 'node:fs/promises'
import { PolicyLimits } from './limits.ts'
import type { FirewallEvent } from './permit.ts'

const MINUTE = 60_000

/** The file that is written, and the older one. */
export const AUDIT_FILES = ['audit.log', 'audit.log.1'] as const

/** How many lines a minute may have. Pure: the time comes with the event. */
export class LineBudget {
  private minute = -1
  private used = 0
  private dropped = 0

  /** Lines to write for this event: itself, and first the count of those left out before; or none. */
  admit(event: FirewallEvent): readonly object[] {
    const minute = Math.floor(event.at / MINUTE)
    const lines: object[] = []
    if (minute !== this.minute) {
      if (this.dropped > 0) lines.push({ at: event.at, kind: 'omitted', count: this.dropped })
      this.minute = minute
      this.used = 0
      this.dropped = 0
    }
    if (this.used >= PolicyLimits.auditPerMinute) {
      this.dropped++
      return lines
    }
    this.used++
    return [...lines, event]
  }
}

export class AuditLog {
  private readonly path: string
  private readonly budget = new LineBudget()
  private writing: Promise<void> = Promise.resolve()
  private size: number | undefined

  /** Appends to `path`; `${path}.1` is the older file. */
  constructor(path: string) {
    this.path = path
  }

  /** Queues the event. A log that cannot be written (full disk) loses lines, never the program. */
  record(event: FirewallEvent): void {
    const text = this.budget
      .admit(event)
      .map((line) => `${JSON.stringify(line)}\n`)
      .join('')
    if (text !== '') this.writing = this.writing.then(() => this.append(text)).catch(() => {})
  }

  /** Waits until everything recorded is written. */
  async close(): Promise<void> {
    await this.writing
  }

  private async append(text: string): Promise<void> {
    this.size ??= await stat(this.path).then(
      (stats) => stats.size,
      () => 0,
    )
    if (this.size + text.length > PolicyLimits.auditBytes) {
      await rename(this.path, `${this.path}.1`)
      this.size = 0
    }
    await appendFile(this.path, text, { mode: 0o600 })
    this.size += text.length
  }
}
