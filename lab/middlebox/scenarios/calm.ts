/** Networks that are only slow, far or uneven. */
import type { Scenario } from '../scenario.ts'

export const calm: readonly Scenario[] = [
  { name: 'clean', what: 'nothing in the way', box: { kind: 'tcp' } },
  {
    name: 'clean-confined',
    what: 'the same, with the real broker and its core',
    box: { kind: 'tcp' },
    member: 'process',
  },
  { name: 'delay-100ms', what: '100 ms round trip', box: { kind: 'tcp', delayMs: 50 } },
  { name: 'delay-600ms-jitter', what: 'a satellite', box: { kind: 'tcp', delayMs: 300, jitterMs: 60 }, everyMs: 300 },
  {
    name: 'stalls-2-percent',
    what: 'one piece in fifty waits for its repetition, 800 ms',
    box: { kind: 'tcp', delayMs: 20, stallShare: 0.02, stallMs: 800 },
  },
  {
    name: 'rate-8kB',
    what: '8 kB/s a connection',
    box: { kind: 'tcp', delayMs: 50, bytesPerSecond: 8_000 },
    everyMs: 400,
  },
  {
    name: 'rate-2kB',
    what: 'throttled to 2 kB/s a connection',
    box: { kind: 'tcp', delayMs: 50, bytesPerSecond: 2_000 },
    count: 4,
    everyMs: 1_500,
  },
]
