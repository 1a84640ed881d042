import { fromLatin1 } from '#protocol/bytes.ts'
import type { Decoy, Refusal } from './decoy.ts'

/**
 * Behind nginx (or Caddy with `handle_response`): lets the web server answer by itself, from a *named* location, so that
 * method and body stay as they are. Nothing of this answer leaves the machine.
 */
export function accelDecoy(location: string): Decoy {
  const headers = ['X-Accel-Redirect', location, 'Content-Length', '0']
  return async (request, response) => {
    response.writeHead(200, headers)
    response.end()
    if (!request.complete) request.resume()
  }
}

/** What the web server passed on and our parser refuses is the website's to answer, too: other servers refuse less. */
export function accelRefusal(location: string): Refusal {
  const lines = ['HTTP/1.1 200 OK', `X-Accel-Redirect: ${location}`, 'Content-Length: 0', 'Connection: close', '', '']
  const answer = fromLatin1(lines.join('\r\n'))
  return () => answer
}
