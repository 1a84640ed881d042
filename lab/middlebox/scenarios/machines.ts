/** What happens to the machines at both ends. */
import type { Scenario } from '../scenario.ts'

export const machines: readonly Scenario[] = [
  {
    name: 'sleep-and-wake',
    what: 'the program is stopped for 12 s, and its connections die meanwhile',
    box: { kind: 'tcp', delayMs: 20 },
    member: 'process',
    turns: [
      { afterMs: 400, act: 'sleep' },
      { afterMs: 5_000, act: 'freeze' },
      { afterMs: 12_400, act: 'wake', heals: true },
    ],
    names: ['E_NET_SLEPT'],
  },
  {
    name: 'gateway-restart',
    what: 'the gateway is killed and comes back',
    box: { kind: 'tcp', delayMs: 20 },
    turns: [{ afterMs: 450, act: 'restart' }],
  },
  {
    name: 'gateway-restart-behind-edge',
    what: 'the same, behind an edge that says 502 meanwhile',
    box: { kind: 'http' },
    turns: [{ afterMs: 450, act: 'restart' }],
  },
  {
    name: 'clock-behind-5h',
    what: 'the clock of the member is 5 hours behind',
    box: { kind: 'tcp' },
    clockShiftMs: -18_000_000,
    names: ['E_NET_CLOCK'],
  },
  {
    name: 'clock-ahead-5h',
    what: 'the clock of the member is 5 hours ahead',
    box: { kind: 'tcp' },
    clockShiftMs: 18_000_000,
    names: ['E_NET_CLOCK'],
  },
]
