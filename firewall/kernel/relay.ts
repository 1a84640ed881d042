/** Passes octets on between two sockets, both ways, without looking into them. */
import type { Duplex } from 'node:stream'

/**
 * What one side said before it left still goes to the other, which is then closed. What breaks on one side breaks on both.
 * @param over once, when both are closed
 */
export function relay(near: Duplex, far: Duplex, over: () => void): void {
  let open = 2
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.once('close', () => {
      if (!from.readableEnded || to.writableFinished) to.destroy()
      else to.once('finish', () => to.destroy())
      if (--open === 0) over()
    })
  }
}
