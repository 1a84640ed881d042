import type { Decoy } from './decoy.ts'

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

/** The same for a request that Node's parser refuses: it never becomes one that `accelDecoy` could see. */
export function accelRefusal(location: string): string {
  return `HTTP/1.1 200 OK\r\nX-Accel-Redirect: ${location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`
}
