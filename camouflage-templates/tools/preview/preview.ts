/** Messages of a template as the wire has them, made by the engine, each beside a sample of the real thing. */
import type { CompiledTemplate, Shape, Socket } from '#engine/compile.ts'
import { acknowledgementText, eventText } from '#engine/encodings/socketio.ts'
import type { HttpRequest, HttpResponse } from '#engine/template.ts'
import type { Random } from '#protocol/bytes.ts'
import { concat } from '#protocol/bytes.ts'
import { seeded } from '../seeded.ts'
import { printableBody, printableMessage } from './printable.ts'

export interface Preview {
  readonly shape: string
  readonly direction: 'request' | 'response'
  /** Octets of the parcel in it. */
  readonly parcel: number
  /** Lines as they would be printed; the body behind an empty one. */
  readonly wire: readonly string[]
  /** Of the sample; undefined where the template has none. */
  readonly sample: readonly string[] | undefined
}

export interface PreviewInput {
  readonly template: CompiledTemplate
  readonly seed: number
  /** Octets of a sample by its file name. */
  readonly sample: (name: string) => Uint8Array | undefined
}

const HOST = 'www.example.org'
/** Octets of content of a usual text message, padding not included. */
const TEXT = 700

export function previewTemplate({ template, seed, sample }: PreviewInput): Preview[] {
  const random = seeded(seed)
  const shown = template.shapes.flatMap((shape): Preview[] => {
    const up = shape.up.fit(TEXT)
    const down = shape.down.fit(TEXT)
    const request = shape.encodeRequest({ token: random(16), parcel: random(up), host: HOST, random })
    const response = shape.encodeResponse({ parcel: random(down), random })
    return [
      {
        ...{ shape: shape.name, direction: 'request', parcel: up },
        wire: requestLines(request),
        sample: of(shape, 'request'),
      },
      {
        ...{ shape: shape.name, direction: 'response', parcel: down },
        wire: responseLines(response),
        sample: of(shape, 'response'),
      },
    ]
  })

  return template.socket === undefined ? shown : [...shown, ...socketPreviews(template.socket)]

  function socketPreviews({ upgrade, messages, event, split }: Socket): Preview[] {
    const [asked, up, down] = [upgrade.up.classes[0]!, messages.up.fit(TEXT), messages.down.fit(TEXT)]
    const request = upgrade.encodeRequest({ token: random(16), parcel: random(asked), host: HOST, random })
    const said = split(concat(random(16), random(up)))
    const answered = split(random(down))
    const message = (text: string, octets: readonly Uint8Array[]): string[] => [
      text,
      ...octets.flatMap((each) => printableBody(each, '')),
    ]
    return [
      {
        ...{ shape: 'upgrade', direction: 'request', parcel: asked },
        wire: upgradeLines(request, random),
        sample: of(upgrade, 'request'),
      },
      {
        ...{ shape: 'socket', direction: 'request', parcel: up, sample: undefined },
        wire: message(eventText(event, said.length, 0), said),
      },
      {
        ...{ shape: 'socket', direction: 'response', parcel: down, sample: undefined },
        wire: message(acknowledgementText(answered.length, 0), answered),
      },
    ]
  }

  function of({ name }: Shape, direction: string): readonly string[] | undefined {
    const bytes = sample(`${name}.${direction}.http`)
    return bytes && printableMessage(bytes)
  }
}

/** With what dialer and server add in front and behind. */
function requestLines({ method, target, headers, body }: HttpRequest): string[] {
  const length: [string, string][] = body === undefined ? [] : [['content-length', String(body.length)]]
  const all = [['host', HOST] as const, ['connection', 'keep-alive'] as const, ...headers, ...length]
  return [
    `${method} ${target} HTTP/1.1`,
    ...fieldLines(all),
    '',
    ...printableBody(body ?? new Uint8Array(0), typeOf(headers)),
  ]
}

/** With what `ws` adds on behalf of socket.io's client. */
export function upgradeLines({ method, target, headers }: HttpRequest, random: Random): string[] {
  const key = Buffer.from(random(16)).toString('base64')
  const handshake: [string, string][] = [
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', key],
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits'],
    ['Host', HOST],
  ]
  return [`${method} ${target} HTTP/1.1`, ...fieldLines([...headers, ...handshake]), '']
}

function responseLines({ status, headers, body }: HttpResponse): string[] {
  const all = [...headers, ['content-length', String(body.length)] as const]
  return [`HTTP/1.1 ${status} OK`, ...fieldLines(all), '', ...printableBody(body, typeOf(headers))]
}

type Headers = readonly (readonly [string, string])[]

const fieldLines = (headers: Headers): string[] => headers.map(([name, value]) => `${name}: ${value}`)

const typeOf = (headers: Headers): string => headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? ''

/** Two columns within `width` characters; lines that are longer go on in the next row. */
export function besides(preview: Preview, width: number): string {
  const half = Math.max(20, Math.floor((width - 3) / 2))
  const heads = ['as Sotto writes it', preview.sample === undefined ? 'no sample' : 'a sample']
  const left = [heads[0]!, ''.padEnd(heads[0]!.length, '-'), ...preview.wire].flatMap((line) => wrap(line, half))
  const right = [heads[1]!, ''.padEnd(heads[1]!.length, '-'), ...(preview.sample ?? [])].flatMap((line) =>
    wrap(line, half),
  )
  const rows = Array.from({ length: Math.max(left.length, right.length) }, (_, at) => {
    return `${(left[at] ?? '').padEnd(half)} | ${right[at] ?? ''}`.trimEnd()
  })
  return [`${preview.shape}, ${preview.direction}, a parcel of ${preview.parcel} octets`, '', ...rows, ''].join('\n')
}

function wrap(line: string, width: number): string[] {
  if (line.length <= width) return [line]
  return Array.from({ length: Math.ceil(line.length / width) }, (_, at) => line.slice(at * width, (at + 1) * width))
}
