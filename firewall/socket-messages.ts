/** The calls about WebSockets. A socket is a number that the broker gave; messages up and down are the raw octets of a frame. */
import * as v from 'valibot'
import type { Family } from '#engine/template.ts'

export interface SocketCalls {
  readonly openSocket: {
    args: {
      endpoint: string
      target: string
      /** Names and values in turn. */
      headers: readonly string[]
      timeoutMs: number
      family: Family
    }
    result: { socket: number }
  }
  readonly sendMessage: {
    /** Raw: message. Answered once it has gone to the connection. */
    args: { socket: number; text: boolean }
    result: null
  }
  readonly nextMessage: {
    args: { socket: number }
    /** Raw: message. */
    result: { text: boolean }
  }
  readonly closeSocket: { args: { socket: number }; result: null }
}

type Schemas<Part extends 'args' | 'result'> = {
  readonly [K in keyof SocketCalls]: v.GenericSchema<unknown, SocketCalls[K][Part]>
}

const socket = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

export const socketArgs: Schemas<'args'> = Object.freeze({
  openSocket: v.strictObject({
    endpoint: v.string(),
    target: v.string(),
    headers: v.array(v.string()),
    timeoutMs: v.number(),
    family: v.picklist(['node', 'chromium', 'firefox']),
  }),
  sendMessage: v.strictObject({ socket, text: v.boolean() }),
  nextMessage: v.strictObject({ socket }),
  closeSocket: v.strictObject({ socket }),
})

export const socketResults: Schemas<'result'> = Object.freeze({
  openSocket: v.strictObject({ socket }),
  sendMessage: v.null(),
  nextMessage: v.strictObject({ text: v.boolean() }),
  closeSocket: v.null(),
})
