/** Notices that the machine has slept: timers stand still meanwhile, and come late. */
import type { Clockwork } from '../clockwork.ts'

/** How often to look, and how late the look may be, milliseconds. */
const WATCH_MS = 5_000
const SLEPT_MS = 3_000

/** Calls `awoke` after every sleep; returns how to stop. */
export function watchForSleep(clockwork: Clockwork, awoke: () => void): () => void {
  let cancel = (): void => {}
  const watch = (): void => {
    const due = clockwork.now() + WATCH_MS
    cancel = clockwork.after(WATCH_MS, () => {
      if (clockwork.now() > due + SLEPT_MS) awoke()
      watch()
    })
  }
  watch()
  return () => cancel()
}
