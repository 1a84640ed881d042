/** The dialers of a broker: at most one of each look, and those looks that this machine cannot have. */
import type { DialerReport, Family } from '../permit.ts'
import type { Dialer } from './dialer.ts'

/** There is no such dialer, and why. */
export interface UnfitDialer extends DialerReport {
  readonly unfit: string
}

export class DialerSet {
  private readonly byFamily: ReadonlyMap<Family, Dialer>
  private readonly unfit: readonly UnfitDialer[]

  /** The default one first. */
  constructor(dialers: readonly Dialer[], unfit: readonly UnfitDialer[] = []) {
    this.byFamily = new Map(dialers.map((dialer) => [dialer.describe().family, dialer]))
    this.unfit = unfit
  }

  /** What claims to be a client must come from the dialer that looks like it, and from no other. */
  of(family: Family): Dialer | undefined {
    return this.byFamily.get(family)
  }

  /** Why there is none of this look; undefined where nothing is known of it. */
  whyNot(family: Family): UnfitDialer | undefined {
    return this.unfit.find((each) => each.family === family)
  }

  reports(): DialerReport[] {
    return [...this.all().map((dialer) => dialer.describe()), ...this.unfit]
  }

  all(): readonly Dialer[] {
    return [...this.byFamily.values()]
  }

  async forget(endpointId: string): Promise<void> {
    await Promise.all(this.all().map((dialer) => dialer.forget(endpointId)))
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((dialer) => dialer.close()))
  }
}
