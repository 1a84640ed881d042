/** What one member is told of its way to the gateway, and when. */

/** Milliseconds, on the clock of `performance.now`. */
type Moment = number

export class Journey {
  /** Times that the way was lost and found again. */
  reconnects = 0
  /** The latest that worked. */
  template = ''
  /** Codes that the person was told. */
  readonly named: Set<string> = new Set()
  private wasReady = false
  private isLost = false
  private readonly losses: Moment[] = []
  private readonly returns: Moment[] = []

  see(state: { readonly kind: string; readonly code?: string }, template: string, findings: readonly string[]): void {
    for (const code of findings) this.named.add(code)
    if (state.kind === 'failing' && state.code !== undefined) this.named.add(state.code)
    if (state.kind !== 'ready') {
      if (this.wasReady && !this.isLost) this.losses.push(performance.now())
      this.isLost = this.wasReady
      return
    }
    if (this.isLost) {
      this.reconnects++
      this.returns.push(performance.now())
    }
    this.isLost = false
    this.wasReady = true
    this.template = template
  }

  /** When the way was first known to be lost from `from` on. */
  lostAfter(from: Moment): Moment | undefined {
    return this.losses.find((at) => at >= from)
  }

  /** When it was first known to work again from `from` on. */
  backAfter(from: Moment): Moment | undefined {
    return this.returns.find((at) => at >= from)
  }
}
