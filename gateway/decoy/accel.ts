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
