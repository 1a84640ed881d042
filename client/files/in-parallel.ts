/** Work on many things, a few at a time. */

/** After a failure nothing more is begun; rejects with the first, once all that was under way has ended. */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  let failed = false
  const run = async (): Promise<void> => {
    while (next < items.length && !failed) {
      try {
        await work(items[next++]!)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const runs = Array.from({ length: Math.min(most, items.length) }, run)
  await Promise.allSettled(runs)
  await Promise.all(runs)
}
