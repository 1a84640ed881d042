/**
 * Whether the first packets of a connection look as if a handshake of TLS were carried inside (Xue and others, USENIX
 * Security 2024), by the rule of nDPI's option `--tls_heuristics`: octets of four consecutive bursts, the client's first,
 * compared with means of real handshakes. Means, inverse covariances and limits are nDPI's.
 */

export interface Step {
  readonly up: boolean
  /** Octets of payload. */
  readonly length: number
}

interface Model {
  readonly name: string
  readonly limit: number
  /** Octets that the first burst has at least. */
  readonly least: number
  readonly mean: Vector
  readonly inverse: readonly [Vector, Vector, Vector, Vector]
}

type Vector = readonly [number, number, number, number]

const models: readonly Model[] = [
  {
    name: 'Chrome',
    limit: 3,
    least: 0,
    mean: [1850.43045387994, 4903.07735480722, 785.25280624695, 1051.22303562714],
    inverse: [
      [6.72374390966642e-6, -2.32109583941723e-8, 6.67140014394388e-8, 1.2526322628285e-8],
      [-2.32109583941723e-8, 5.64668947932086e-7, 4.58963631972597e-8, 6.41254684791958e-9],
      [6.67140014394388e-8, 4.58963631972597e-8, 6.04057768431344e-7, -9.1507432597718e-10],
      [1.2526322628285e-8, 6.41254684791958e-9, -9.1507432597718e-10, 1.01184796635481e-7],
    ],
  },
  {
    name: 'TLS 1.3',
    limit: 3,
    least: 517,
    mean: [640.657378447541, 4649.30338356554, 448.408302530566, 1094.2013079329],
    inverse: [
      [3.08030337925007e-5, 1.16179172096944e-7, 1.05356744968627e-7, 3.88628843552779e-8],
      [1.16179172096944e-7, 6.93179117519316e-7, 2.77413220880937e-8, -3.63723200682445e-9],
      [1.05356744968627e-7, 2.77413220880937e-8, 1.0260950589675e-6, -1.08769813590053e-8],
      [3.88628843552779e-8, -3.63723200682445e-9, -1.08769813590053e-8, 8.63307792288604e-8],
    ],
  },
  {
    name: 'TLS 1.2',
    limit: 3.5,
    least: 0,
    mean: [212.883690341977, 4514.71195039459, 107.770762871101, 307.580232995115],
    inverse: [
      [2.92421113167604e-4, 4.43677617831228e-7, -5.69966093492813e-5, -2.18124698406311e-6],
      [4.43677617831228e-7, 5.98954952745268e-7, -3.59798436724817e-7, 5.71638172955893e-7],
      [-5.69966093492813e-5, -3.59798436724817e-7, 7.6893788148309e-4, 2.22278496185964e-5],
      [-2.18124698406311e-6, 5.71638172955893e-7, 2.22278496185964e-5, 5.72770077086287e-5],
    ],
  },
]

/** Packets looked at, and octets of each that count as the outer layer's. */
const PACKETS = 25
const OUTER = 24
/** Packets of the first burst at most: a greeting is cut into no more. */
const FIRST = 3

interface Burst {
  readonly up: boolean
  octets: number
  packets: number
}

/** Name of the handshake it looks like. `steps`: packets with payload, after the outer handshake. */
export function innerHandshake(steps: readonly Step[]): string | undefined {
  const bursts: Burst[] = []
  for (const { up, length } of steps.slice(0, PACKETS)) {
    const last = bursts.at(-1)
    const octets = Math.max(0, length - OUTER)
    if (last?.up === up) {
      last.octets += octets
      last.packets++
    } else bursts.push({ up, octets, packets: 1 })
  }
  for (let at = 0; at + 4 <= bursts.length; at++) {
    const four = bursts.slice(at, at + 4)
    if (!four[0]!.up || four[0]!.packets > FIRST) continue
    const sums = four.map(({ octets }) => octets) as unknown as Vector
    const found = models.find((model) => sums[0] >= model.least && distance(sums, model) < model.limit)
    if (found !== undefined) return found.name
  }
  return undefined
}

/** Mahalanobis. */
function distance(sums: Vector, { mean, inverse }: Model): number {
  const off = sums.map((sum, i) => sum - mean[i]!)
  const square = off.reduce((total, x, i) => total + x * off.reduce((row, y, j) => row + inverse[i]![j]! * y, 0), 0)
  return Math.sqrt(Math.max(0, square))
}
