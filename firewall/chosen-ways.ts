/** The ways out at work: what the person chooses holds from the next connection on, and what led to an endpoint is kept. */
import type { Random } from '#protocol/bytes.ts'
import { hex } from '#protocol/bytes.ts'
import type { DialTarget } from './dialers/dialer.ts'
import type { FirewallEventKind, WaysInfo } from './permit.ts'
import type { Endpoint } from './policy.ts'
import type { Vault } from './vault.ts'
import type { WayChange } from './ways.ts'
import { changed, pruned, targetOf, waysInfo, withRemembered } from './ways.ts'
import type { WaysFile } from './ways-file.ts'

export interface WaysSurroundings {
  readonly vault: Vault
  readonly file: WaysFile
  readonly ipv6Only: boolean
  readonly random: Random
  readonly emit: (kind: FirewallEventKind, proxyId: string) => void
  /** Ends the connections of an endpoint. */
  readonly disconnect: (endpointId: string) => Promise<void>
}

export class ChosenWays {
  private readonly around: WaysSurroundings
  private change: Promise<void> | undefined

  constructor(around: WaysSurroundings) {
    this.around = around
  }

  /** Rejects where the latest change was not taken, as `take`. */
  async info(): Promise<WaysInfo> {
    await this.change
    return waysInfo(this.around.file.ways, this.around.ipv6Only)
  }

  /** @throws SottoError E_USAGE, E_SECRET_IN_ARGV, E_DISK_FULL, E_STATE_UNREADABLE */
  take(change: Promise<WayChange>): Promise<void> {
    this.change = this.takeIt(change)
    return this.change
  }

  /** Not on disk at once where the disk is full: it is only a help. */
  remember(endpoint: Endpoint, address: string): void {
    this.around.file.update((ways) => withRemembered(ways, endpoint, address)).catch(() => {})
  }

  targetOf(endpoint: Endpoint): DialTarget {
    return targetOf(endpoint, this.around.file.ways)
  }

  async close(): Promise<void> {
    await this.around.file.close()
  }

  private async takeIt(change: Promise<WayChange>): Promise<void> {
    const { vault, file, random, emit, disconnect } = this.around
    const wanted = await change
    const before = file.ways.proxy
    const id = hex(random(8))
    await file.update((ways) => pruned(changed(ways, vault.endpoints, wanted, id), vault.endpoints))
    // What stands leads the old way.
    for (const endpoint of vault.endpoints.keys()) await disconnect(endpoint)
    if (wanted.kind !== 'proxy') return
    if (before !== undefined) emit('forgotten', before.id)
    if (wanted.proxy !== undefined) emit('admitted', id)
  }
}
