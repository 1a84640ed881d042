/**
 * Items over one socket, whichever side dialed: what is sent within one moment goes in as few frames as it fits into, and a
 * reader who does not read stops what is sent to it.
 */
import type { Socket } from 'node:net'
import { concat } from '#protocol/bytes.ts'
import type { TrunkItem } from '#protocol/tracker/trunk.ts'
import { encodeItem, FRAME_ITEMS, GREETING_LENGTH, TrunkOpener, TrunkSealer } from '#protocol/tracker/trunk.ts'

export interface LineOptions {
  readonly sendKey: Uint8Array
  readonly receiveKey: Uint8Array
  /** Milliseconds that items wait for others to go with. */
  readonly gatherMs: number
  readonly onItems: (items: readonly TrunkItem[]) => void
}

export class TrunkLine {
  private readonly socket: Socket
  private readonly options: LineOptions
  private readonly sealer: TrunkSealer
  private readonly opener: TrunkOpener
  private waiting: Uint8Array[] = []
  private timer: NodeJS.Timeout | undefined

  constructor(socket: Socket, options: LineOptions) {
    this.socket = socket
    this.options = options
    this.sealer = new TrunkSealer(options.sendKey)
    this.opener = new TrunkOpener(options.receiveKey)
    socket.once('close', () => clearTimeout(this.timer))
  }

  /** Octets that the other side has not taken. */
  get unsent(): number {
    return this.socket.writableLength
  }

  /** What has arrived. Garbage ends the line. */
  take(bytes: Uint8Array): void {
    const items = this.opener.open(bytes)
    if (items === undefined) this.socket.destroy()
    else if (items.length > 0) this.options.onItems(items)
  }

  send(item: TrunkItem): void {
    if (this.socket.destroyed) return
    this.waiting.push(encodeItem(item))
    this.timer ??= setTimeout(() => this.flush(), this.options.gatherMs)
  }

  private flush(): void {
    this.timer = undefined
    const frames: Uint8Array[] = []
    let frame: Uint8Array[] = []
    let length = 0
    for (const item of this.waiting) {
      if (length + item.length > FRAME_ITEMS) {
        frames.push(this.sealer.seal(frame))
        frame = []
        length = 0
      }
      frame.push(item)
      length += item.length
    }
    frames.push(this.sealer.seal(frame))
    this.waiting = []
    this.socket.write(Buffer.concat(frames))
  }
}

/** Reads the greeting of the other side; what came behind it goes to `take` as well. */
export function readGreeting(socket: Socket, take: (greeting: Uint8Array, rest: Uint8Array) => void): void {
  let held: Uint8Array = new Uint8Array(0)
  const onData = (bytes: Buffer | string): void => {
    held = concat(held, bytes as Buffer)
    if (held.length < GREETING_LENGTH) return
    socket.off('data', onData)
    take(held.slice(0, GREETING_LENGTH), held.slice(GREETING_LENGTH))
  }
  socket.on('data', onData)
}
