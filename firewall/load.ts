/** How many of a kind each endpoint has under way. Pure. */
export class Load {
  private readonly counts = new Map<string, number>()
  private readonly most: number

  constructor(most: number) {
    this.most = most
  }

  /** Counts one until the returned function is called; undefined where there are as many as there may be. */
  enter(endpointId: string): (() => void) | undefined {
    const before = this.counts.get(endpointId) ?? 0
    if (before >= this.most) return undefined
    this.counts.set(endpointId, before + 1)
    return () => {
      const left = this.counts.get(endpointId)! - 1
      if (left > 0) this.counts.set(endpointId, left)
      else this.counts.delete(endpointId)
    }
  }
}
