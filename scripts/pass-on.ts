/** What a web server in front does with a request that it passes on. */
import type { IncomingMessage, RequestOptions, ServerResponse } from 'node:http'
import { request as httpRequest } from 'node:http'

/** `place`: where to. `onAnswer`: sees the answer before its body. */
export function passOn(
  place: RequestOptions,
  request: IncomingMessage,
  response: ServerResponse,
  onAnswer: (answer: IncomingMessage) => void = () => {},
): void {
  const { method, url: path, headers } = request
  const onward = httpRequest({ ...place, method, path, headers }, (answer) => {
    onAnswer(answer)
    response.writeHead(answer.statusCode!, withoutHopByHop(answer.rawHeaders))
    answer.pipe(response)
    answer.once('error', () => response.destroy())
  })
  onward.once('error', () => {
    if (!response.headersSent) response.writeHead(502, ['content-type', 'text/plain']).end('Bad Gateway')
    else response.destroy()
  })
  response.once('close', () => onward.destroy())
  request.pipe(onward)
}

/** The front has its own connection to the visitor: the gateway's `connection` and `keep-alive` are not passed on. */
function withoutHopByHop(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    if (!/^(connection|keep-alive|transfer-encoding)$/i.test(raw[i]!)) kept.push(raw[i]!, raw[i + 1]!)
  }
  return kept
}
