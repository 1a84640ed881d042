/** Notices that this machine has come to another network, also to one and back. */
import { fastEqual } from '#protocol/bytes.ts'
import type { Clockwork } from './clockwork.ts'

/** Milliseconds between two looks. The look costs the firewall three small files; a move costs at most so long. */
const LOOK_MS = 5_000

/** Calls `moved` after every change of `network`; returns how to stop. What cannot be told has not changed. */
export function watchNetwork(clockwork: Clockwork, network: () => Promise<Uint8Array>, moved: () => void): () => void {
  let cancel = (): void => {}
  let isOver = false
  let before: Uint8Array | undefined
  const look = async (): Promise<void> => {
    const now = await network().catch(() => undefined)
    if (isOver) return
    if (now !== undefined) {
      if (before !== undefined && !fastEqual(before, now)) moved()
      before = now
    }
    cancel = clockwork.after(LOOK_MS, () => void look())
  }
  void look()
  return () => {
    isOver = true
    cancel()
  }
}
