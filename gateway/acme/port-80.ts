/**
 * Port 80 of a website that stands alone: everybody is sent to https, as ordinary websites do, and the authority finds the
 * proofs that it has asked for.
 */
import { sendPage, writeHead } from '../decoy/answer.ts'
import { pageRefusal } from '../decoy/refusal.ts'
import { originForm } from '../decoy/target.ts'
import type { Handler, RunningServer } from '../server.ts'
import { startServer } from '../server.ts'
import type { Proofs } from './order.ts'

const PREFIX = '/.well-known/acme-challenge/'

export interface Port80 extends Proofs {
  readonly server: RunningServer
}

/** `origin`: where everybody is sent, without a path. @throws SottoError E_PORT_TAKEN, E_CONFIG */
export async function openPort80(place: { host: string; port: number }, origin: string): Promise<Port80> {
  const shown = new Map<string, string>()
  const handle: Handler = async (request, response) => {
    const path = originForm(request.url!)
    if (path === undefined) return sendPage(request, response, 400, { close: true })
    const proof = path.startsWith(PREFIX) ? shown.get(path.slice(PREFIX.length)) : undefined
    if (proof === undefined) return sendPage(request, response, 301, { location: `${origin}${path}` })
    writeHead(request, response, { status: 200, type: 'text/plain', length: Buffer.byteLength(proof) })
    response.end(request.method === 'HEAD' ? undefined : proof)
  }
  const server = await startServer({ kind: 'http', ...place }, handle, { refusal: pageRefusal, facing: true })
  return {
    server,
    show: (token, proof) => void shown.set(token, proof),
    hide: (token) => void shown.delete(token),
  }
}
