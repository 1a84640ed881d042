/** Bad networks between a person and a contact's node. The mailbox is well: nothing may be lost for the straight way, or come twice. */
import type { Scenario } from '../scenario.ts'

const common = { node: true, count: 20, everyMs: 200 } as const

export const straight: readonly Scenario[] = [
  {
    ...common,
    name: 'straight',
    what: 'to a contact’s node, and nothing happens',
    box: { kind: 'tcp' },
    isStraight: true,
  },
  {
    ...common,
    name: 'straight-cut',
    what: 'the way to the node is reset, four times in the middle',
    box: { kind: 'tcp' },
    isStraight: true,
    turns: [500, 1_100, 1_900, 3_000].map((afterMs) => ({ afterMs, act: 'cut' as const })),
  },
  {
    ...common,
    name: 'straight-frozen',
    what: 'the connection to the node stays, and nothing passes on it any more',
    box: { kind: 'tcp' },
    isStraight: true,
    turns: [{ afterMs: 1_500, act: 'freeze' }],
  },
  {
    ...common,
    name: 'straight-slow',
    what: 'the node is behind a path so slow that some messages take the mailbox as well',
    box: { kind: 'tcp', delayMs: 500, jitterMs: 700, stallShare: 0.2, stallMs: 3_000 },
  },
  {
    ...common,
    name: 'straight-silent',
    what: 'connections to the node come about, and nothing ever passes',
    box: { kind: 'tcp', silent: true },
  },
  {
    ...common,
    name: 'straight-node-gone-and-back',
    what: 'the node is gone for three seconds in the middle',
    box: { kind: 'tcp' },
    isStraight: true,
    turns: [
      { afterMs: 1_000, act: 'leave' },
      { afterMs: 4_000, act: 'return' },
    ],
    count: 30,
  },
]
