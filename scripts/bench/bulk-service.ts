/** Moves octets for their own sake: what benchmarks add to a gateway. */
import { encodeMessage } from '#protocol/services/codec.ts'
import type { Service } from '#protocol/services/service.ts'
import type { Stream } from '#protocol/session/stream.ts'

const CHUNK = new Uint8Array(262_144).fill(5)
/** Octets written ahead of what has been acknowledged. */
const AHEAD = 8_388_608

/** Writes `octets` to the stream, no faster than they leave. */
export function pour(stream: Stream, octets: number): void {
  let left = octets
  const fill = (): void => {
    while (left > 0 && stream.held < AHEAD) {
      const size = Math.min(left, CHUNK.length)
      stream.write(size === CHUNK.length ? CHUNK : CHUNK.subarray(0, size))
      left -= size
    }
    if (left === 0) {
      stream.onDrain = undefined
      stream.end()
    }
  }
  stream.onDrain = fill
  fill()
}

/** Takes everything and calls `done` with how much it was. */
export function drain(stream: Stream, done: (octets: number) => void): void {
  let total = 0
  stream.onData = (bytes) => {
    total += bytes.length
    stream.consume(bytes.length)
  }
  stream.onEnd = () => done(total)
}

export const bulkService: Service = {
  unary: { 'bench.echo': (args) => args },
  subscribe: {},
  stream: {
    'bench.sink': (_args, _caller, stream) =>
      drain(stream, (octets) => {
        stream.write(encodeMessage(octets))
        stream.end()
      }),
    'bench.source': (args, _caller, stream) => {
      stream.onData = (bytes) => stream.consume(bytes.length)
      pour(stream, Number((args as { octets: number }).octets))
    },
  },
}
