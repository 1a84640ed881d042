/**
 * What one side has to say beside the octets of streams: credit, resets, lost numbers, the pack pointer. Each is said again
 * until the parcel that held it has arrived. Spec section 6.
 */
import type { BodyWriter, PackPointer } from './frames.ts'
import { FrameType } from './frames.ts'
import type { Stream } from './stream.ts'

export interface Reset {
  readonly id: number
  readonly final: number
  readonly code: number
}

/** What of it one parcel held. */
export interface Said {
  readonly windows: Stream[]
  readonly resets: Reset[]
  readonly lost: number[]
  sessionWindow: boolean
  /** Sequence of the pack pointer. */
  pointer: number | undefined
}

export class Notices {
  /** Resets due or under way: what the peer has made us say and not heard yet. */
  openResets = 0
  /** Each once. */
  private windows: Stream[] = []
  private sessionWindow = false
  private readonly resets: Reset[] = []
  private readonly lost: number[] = []
  /** Gateway: the newest one said. */
  private pointer: PackPointer | undefined
  private sequence = 0
  private pointerDue = false

  /** Worth sending now. The pack pointer goes with what is. */
  get octets(): number {
    const { lost, resets, windows, sessionWindow } = this
    return lost.length * 9 + resets.length * 20 + windows.length * 13 + (sessionWindow ? 9 : 0)
  }

  windowDue(stream: Stream): void {
    if (!this.windows.includes(stream)) this.windows.push(stream)
  }

  sessionWindowDue(): void {
    this.sessionWindow = true
  }

  resetDue(reset: Reset): void {
    this.openResets++
    this.resets.push(reset)
  }

  lostDue(number: number): void {
    this.lost.push(number)
  }

  point(pointer: PackPointer): void {
    this.pointer = pointer
    this.sequence++
    this.pointerDue = true
  }

  /** The stream is over: no credit is given for it. */
  drop(stream: Stream): void {
    this.windows = this.windows.filter((other) => other !== stream)
  }

  /** As much as fits. `limit`: of the session's window; `services`: whether the keys may carry the pack pointer. */
  fill(writer: BodyWriter, limit: number, services: boolean): Said {
    const said: Said = { windows: [], resets: [], lost: [], sessionWindow: false, pointer: undefined }
    move(this.lost, said.lost, (number) => writer.numbers(FrameType.lost, number))
    move(this.resets, said.resets, ({ id, final, code }) => writer.numbers(FrameType.reset, id, final, code))
    if (this.sessionWindow && writer.numbers(FrameType.sessionWindow, limit)) {
      said.sessionWindow = true
      this.sessionWindow = false
    }
    move(this.windows, said.windows, ({ id, receiving }) => writer.numbers(FrameType.window, id, receiving.limit))
    if (services && this.pointerDue && writer.pointer(this.sequence, this.pointer!)) {
      said.pointer = this.sequence
      this.pointerDue = false
    }
    return said
  }

  heard({ resets }: Said): void {
    this.openResets -= resets.length
  }

  /** The parcel will never arrive. */
  again({ windows, resets, lost, sessionWindow, pointer }: Said): void {
    for (const stream of windows) if (!stream.isClosed) this.windowDue(stream)
    this.resets.push(...resets)
    this.lost.push(...lost)
    if (sessionWindow) this.sessionWindow = true
    if (pointer === this.sequence) this.pointerDue = true
  }
}

/** Moves from one list to the other, from the front, while `write` finds room. */
function move<T>(from: T[], to: T[], write: (item: T) => boolean): void {
  let count = 0
  while (count < from.length && write(from[count]!)) count++
  to.push(...from.splice(0, count))
}
