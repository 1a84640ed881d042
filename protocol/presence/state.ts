/** What somebody says of themselves. */
import type { Millis } from '../bytes.ts'

export const State = { offline: 0, online: 1 } as const
export type StateName = keyof typeof State

export const FACE_LENGTH = 16

export interface Said {
  readonly state: StateName
  /** The speaker's clock. */
  readonly time: Millis
  /** Hash of who the speaker says to be, and where it is reached: another one, and something has changed. Zeros: it does not say. */
  readonly face: Uint8Array
}

export const NO_FACE: Uint8Array = new Uint8Array(FACE_LENGTH)

export function stateNamed(octet: number): StateName | undefined {
  if (octet === State.online) return 'online'
  return octet === State.offline ? 'offline' : undefined
}
