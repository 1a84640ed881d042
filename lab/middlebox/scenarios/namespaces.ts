/** Packets lost, refused and counted by the kernel. */
import type { Scenario } from '../scenario.ts'

export const namespaces: readonly Scenario[] = [
  {
    name: 'loss-3-percent',
    what: 'three packets in a hundred are lost, each way',
    box: {
      kind: 'namespace',
      nft: ['IN numgen random mod 100 < 3 drop', 'OUT numgen random mod 100 < 3 drop'],
    },
    everyMs: 200,
  },
  {
    name: 'loss-10-percent',
    what: 'one packet in ten is lost, each way',
    box: {
      kind: 'namespace',
      nft: ['IN numgen random mod 100 < 10 drop', 'OUT numgen random mod 100 < 10 drop'],
    },
    everyMs: 300,
  },
  { name: 'rate-256kbit', what: '256 kbit/s through one bucket', box: { kind: 'namespace', nft: [], rate: '256kbit' } },
  {
    name: 'packets-dropped-then-free',
    what: 'not one packet passes for 5 s',
    box: { kind: 'namespace', nft: [] },
    turns: [
      { afterMs: 500, nft: ['IN drop', 'OUT drop'] },
      { afterMs: 5_500, nft: [], heals: true },
    ],
  },
  {
    name: 'packets-reset-then-free',
    what: 'every packet is answered with a reset for 4 s',
    box: { kind: 'namespace', nft: [] },
    turns: [
      { afterMs: 500, nft: ['IN meta l4proto tcp reject with tcp reset'] },
      { afterMs: 4_500, nft: [], heals: true },
    ],
  },
  {
    name: 'quota-40kB-then-free',
    what: 'after 40 kB nothing passes, until the quota is lifted 6 s later',
    box: { kind: 'namespace', nft: ['OUT quota over 40 kbytes drop'] },
    turns: [{ afterMs: 6_000, nft: [], heals: true }],
    count: 15,
    everyMs: 300,
  },
]
