/** What the store may take of the machine. */
export interface StoreLimits {
  /** Octets of pages in use. Attack: members fill the disk with waiting messages. 8 GiB holds about 400,000 full blocks. */
  readonly bytes: number
  /**
   * Octets that stay free on the file system. LMDB 3.5.6 overruns a buffer of its own when a write fails, so the disk
   * must never fill up under it. What is under way counts as written; half of the reserve is for what frees space.
   */
  readonly reserveBytes: number
}

export const StoreLimits: StoreLimits = Object.freeze({
  bytes: 8 * 1024 ** 3,
  reserveBytes: 64 * 1024 ** 2,
})
