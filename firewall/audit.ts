/**
 * The audit log: one JSON line for each decision of the firewall, only ever appended. Endpoints by id, so that the file
 * tells a thief neither hosts nor people. Two files of bounded size; a flood is counted instead of written.
 */
import { appendFile, rename, stat } from 'node:fs/promises'
import { PolicyLimits } from './limits.ts'
import type { FirewallEvent, FirewallEventKind } from './permit.ts'

/** The file that is written, and the older one. */
export const AUDIT_FILES = ['audit.log', 'audit.log.1'] as const

/** Changes of the list, and what the meter did: few, whatever a core does, and never left out for what it asks in vain. */
const weighty: ReadonlySet<FirewallEventKind> = new Set([
  ...(['admitted', 'listed', 'forgotten', 'undone', 'redeemed'] as const),
  ...(['throttled', 'cut', 'eased', 'allowed'] as const),
])

const HOUR = 3_600_000

/** Lines that may be written: some at once, then as many as time brings. */
class Allowance {
  private left: number = PolicyLimits.auditBurst
  private at: number | undefined

  take(at: number): boolean {
    const { auditBurst, auditPerHour } = PolicyLimits
    const passed = Math.max(0, at - (this.at ?? at))
    this.left = Math.min(auditBurst, this.left + (passed * auditPerHour) / HOUR)
    this.at = at
    if (this.left < 1) return false
    this.left--
    return true
  }
}

/** How many lines there may be. Pure: the time comes with the event. */
export class LineBudget {
  private readonly changes = new Allowance()
  private readonly others = new Allowance()
  private omitted = 0
  private at = 0

  /** Lines to write for this event: itself, and first the count of those left out before; or none. */
  admit(event: FirewallEvent): readonly object[] {
    this.at = event.at
    if ((weighty.has(event.kind) ? this.changes : this.others).take(event.at)) return [...this.rest(), event]
    this.omitted++
    return []
  }

  /** The count of those left out that was not yet told, if there are any. */
  rest(): readonly object[] {
    const count = this.omitted
    this.omitted = 0
    return count === 0 ? [] : [{ at: this.at, kind: 'omitted', count }]
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
    this.write(this.budget.admit(event))
  }

  /** Waits until everything recorded is written, with the count of what was left out. */
  async close(): Promise<void> {
    this.write(this.budget.rest())
    await this.writing
  }

  private write(lines: readonly object[]): void {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    if (text !== '') this.writing = this.writing.then(() => this.append(text)).catch(() => {})
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
