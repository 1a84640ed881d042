/**
 * Exchanges as messages of a WebSocket. The request that asks for the socket is an exchange like any other, recognised by
 * its token and its parcel before a socket is given; its answer is the first event that the gateway sends. From then on every
 * event up is token and parcel, and its acknowledgement the parcel down. Each is recognised by itself, as over HTTP.
 */
import { concat } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Context } from './context.ts'
import { ATTACHMENTS, joinAttachments, splitAttachments } from './encodings/socketio.ts'
import { readMessage, writeMessage } from './message.ts'
import type { Form, Shape } from './shape.ts'
import { compileRequest, headersOf } from './shape.ts'
import type { SizeClasses } from './sizes.ts'
import { createSizeClasses } from './sizes.ts'
import { TOKEN_LENGTH } from './slot.ts'
import type { Path } from './source.ts'
import type { HttpResponse, SocketData, TemplateData } from './template.ts'
import { createTokenReader, lineText } from './token-reader.ts'

export interface Socket {
  /** The request that asks for it. Its answer has no head: `decodeResponse` takes the octets of the first event. */
  readonly upgrade: Shape
  /** What goes over it: the body of a request is token and parcel, that of a response the parcel. */
  readonly messages: Form
  /** Name of the event that carries. */
  readonly event: string
  /** Milliseconds between which an exchange waits for news. */
  readonly holdMs: readonly [number, number]
  split(octets: Uint8Array): Uint8Array[]
  /** undefined where these are no attachments as `split` makes them. */
  join(attachments: readonly Uint8Array[]): Uint8Array | undefined
}

const noHeaders = Object.freeze([])

/** `binding` of the template. @throws TemplateError */
export function compileSocket(context: Context, template: TemplateData, binding: string, data: SocketData): Socket {
  const at: Path = ['socket']
  checkAttachments(context, data, at)
  const down = createSizeClasses(data.down)
  const messages: Form = Object.freeze<Form>({
    ...{ template: template.id, family: template.family, name: 'socket', binding: `${binding} socket ${data.event}` },
    ...{ up: createSizeClasses(data.up), down, holdMs: data.holdMs[1] },
    encodeRequest: ({ token, parcel }) => {
      return { method: 'GET', target: '', headers: noHeaders, body: concat(token, checked(parcel, messages.up)) }
    },
    ...answers(down),
  })
  return Object.freeze<Socket>({
    ...{ upgrade: compileUpgrade(context, template, binding, data, down), messages },
    ...{ event: data.event, holdMs: data.holdMs },
    split: (octets) => splitAttachments(octets, data.bytes),
    join: (attachments) => joinAttachments(attachments, data.bytes),
  })
}

function compileUpgrade(
  context: Context,
  { id, family }: TemplateData,
  binding: string,
  data: SocketData,
  down: SizeClasses,
): Shape {
  const at: Path = ['socket', 'request']
  const { message, path } = compileRequest(context, { ...data.request, method: 'GET' }, at)
  return Object.freeze<Shape>({
    ...{ template: id, family, name: 'upgrade', binding: `${binding} upgrade GET ${data.request.path}` },
    ...{ method: 'GET', path, up: message.sizes, down },
    encodeRequest(input) {
      const { lines } = writeMessage(message, input)
      return { method: 'GET', target: lines[0]!, headers: headersOf(message, lines), body: undefined }
    },
    readToken: context.attempt(at, () => createTokenReader(message)),
    decodeRequest({ target, header, body }) {
      return readMessage(message, (index) => lineText(message.lines[index]!, target, header), body)
    },
    ...answers(down),
  })
}

function answers(down: SizeClasses): Pick<Form, 'decodeResponse' | 'encodeResponse'> {
  return {
    decodeResponse: ({ body }) => (down.classes.includes(body.length) ? body : undefined),
    encodeResponse: ({ parcel }): HttpResponse => {
      return { status: 200, headers: noHeaders, body: checked(parcel, down) }
    },
  }
}

function checked(parcel: Uint8Array, sizes: SizeClasses): Uint8Array {
  if (sizes.classes.includes(parcel.length)) return parcel
  throw new SottoError('E_INTERNAL', `a parcel of ${parcel.length} octets has no size class`)
}

function checkAttachments(context: Context, { bytes, up, down }: SocketData, at: Path): void {
  const most = ATTACHMENTS * bytes
  if (up.at(-1)! + TOKEN_LENGTH > most || down.at(-1)! > most) {
    context.refuse([...at, 'bytes'], `attachments of which ${ATTACHMENTS} hold the largest class and a token`)
  }
}
