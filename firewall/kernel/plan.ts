/** What the gate tells the stage that binds the broker. */

export interface Plan {
  readonly filter: boolean
  readonly landlock: boolean
  /** No network namespace: the filter has to keep every socket away. */
  readonly noSockets: boolean
  /** Descriptor for the lines of the filter's supervisor; missing where the kernel alone shall refuse. */
  readonly report?: number
  /** Folders below which, and files that, may be written. */
  readonly writable: readonly string[]
  /** Folders and files that may be read besides; missing where everything may. */
  readonly readable?: readonly string[]
  /** Descriptors besides the three that the program keeps. */
  readonly fds: readonly number[]
  /** Variables that Node takes away when it starts, to be set again. */
  readonly env: Readonly<Record<string, string>>
}

/** Exit status of a stage that could not bind itself. */
export const NOT_BOUND = 70
