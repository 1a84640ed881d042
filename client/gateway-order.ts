/** In which order the gateways of one member are called. */
import type { Millis } from '#protocol/bytes.ts'
import type { NetworkMemory } from './network-memory.ts'

/** Milliseconds between the first calls to two gateways. */
const APART_MS = 1_000

/**
 * Milliseconds until each gateway is called: first the one that was reached last on this network, the others after it in
 * the order of the invite. All at once would be a pattern of its own.
 */
export async function delaysOf(memories: readonly NetworkMemory[], now: Millis): Promise<number[]> {
  const reached = await Promise.all(memories.map((memory) => memory.reachedAt(now).catch(() => undefined)))
  const order = reached.map((_, i) => i).toSorted((a, b) => (reached[b] ?? 0) - (reached[a] ?? 0))
  return reached.map((_, i) => order.indexOf(i) * APART_MS)
}
