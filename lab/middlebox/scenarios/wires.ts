/** Packets treated one by one on a wire of ours. */
import type { Scenario } from '../scenario.ts'

export const wires: readonly Scenario[] = [
  {
    name: 'packets-100ms-1-percent',
    what: '100 ms round trip, and one packet in a hundred is lost, each way',
    box: { kind: 'packets', delayMs: 50, loss: 0.01 },
    everyMs: 200,
  },
  {
    name: 'packets-reordered',
    what: 'one packet in ten is overtaken, one in fifty comes twice',
    box: { kind: 'packets', delayMs: 40, jitterMs: 4, reordered: 0.1, doubled: 0.02 },
    everyMs: 200,
  },
  {
    name: 'packets-slow',
    what: '20 kB/s with a short queue, 200 ms round trip',
    box: { kind: 'packets', delayMs: 100, bytesPerSecond: 20_000 },
    count: 6,
    everyMs: 800,
  },
  {
    name: 'packets-gone-then-free',
    what: 'on a wire of 100 ms no packet passes for 8 s',
    box: { kind: 'packets', delayMs: 50 },
    turns: [
      { afterMs: 500, packets: { loss: 1 } },
      // A busy machine has a round trip of its own, and four of them are waited for.
      { afterMs: 8_500, packets: { delayMs: 50 }, heals: true },
    ],
    names: ['E_PATH_TIMEOUT'],
  },
]
