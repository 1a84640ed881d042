/**
 * Changes of the store, each with what is to happen once it is stored: sending, telling the views. When the store fails,
 * nothing of either happens.
 */
import type { Store } from '#client/store/store.ts'

/** Names something to do after the commit. */
export type After = (effect: () => void) => void

export class Journal {
  private readonly store: Store

  constructor(store: Store) {
    this.store = store
  }

  /** @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE, and what `work` throws; nothing was changed then */
  commit<T>(work: (after: After) => T): T {
    const effects: (() => void)[] = []
    const result = this.store.transaction(() => work((effect) => effects.push(effect)))
    for (const effect of effects) effect()
    return result
  }
}
