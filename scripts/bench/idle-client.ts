/**
 * Many sessions in one process, each with one held poll, over plain HTTP as a proxy in front would: for counting what a
 * held session costs the gateway. First line in: {port, links, sessions}; then each line renews every poll.
 */
import { Agent, request as httpRequest } from 'node:http'
import { createInterface } from 'node:readline'
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { initiate } from '#protocol/handshake.ts'
import type { Invite } from '#protocol/invite.ts'
import { parseInvite } from '#protocol/invite.ts'
import { aeads } from '#protocol/parcel.ts'
import { bindingOf, deriveCohort } from '#protocol/recognition.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import { loadBuiltin } from '../../camouflage-templates/builtin.ts'

const HOLD_MS = 50_000
const template: CompiledTemplate = compileTemplate(loadBuiltin('support-chat'))
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { port, links, sessions } = JSON.parse((await lines.next()).value ?? '') as {
  port: number
  links: string[]
  sessions: number
}
const invites = links.map((link) => parseInvite(link, Date.now()))
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

function exchange(
  message: HttpRequest,
): Promise<{ status: number; body: Uint8Array; header(name: string): string | undefined }> {
  return new Promise((resolve, reject) => {
    const headers = [
      'host',
      `localhost:${port}`,
      ...message.headers.flat(),
      'content-length',
      String(message.body!.length),
    ]
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      agent,
      method: message.method,
      path: message.target,
      headers,
      setHost: false,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const header = (name: string): string | undefined => response.headers[name] as string | undefined
        resolve({ status: response.statusCode!, body: new Uint8Array(Buffer.concat(chunks)), header })
      })
    })
    request.end(message.body)
  })
}

async function round(session: ClientSession, hold: number | undefined): Promise<void> {
  const shape = template.shape(hold === undefined ? 'send' : 'poll')
  const outgoing = session.take(shape.up.fit(session.pending(shape.up.max) + 48), { hold }, bindingOf(shape))
  const answer = await exchange(shape.encodeRequest({ ...outgoing, host: 'localhost', random: randomBytes }))
  const parcel = shape.decodeResponse(answer)
  if (parcel === undefined || !session.receive(Date.now(), outgoing.number, parcel))
    throw new Error(`not recognised: ${answer.status}`)
}

async function open(invite: Invite): Promise<ClientSession> {
  const shape = template.shape('send')
  const gateway = invite.gateways[0]!
  const contact = initiate({
    gatewayKey: gateway.key,
    cohort: deriveCohort(gateway.cohort),
    hello: Uint8Array.of(1),
    membership: { kind: 'redeem', code: invite.code, credentialId: randomBytes(16), credentialKey: randomBytes(32) },
    binding: bindingOf(shape),
    length: shape.up.fit(320),
    now: Date.now(),
    random: randomBytes,
  })
  const answer = await exchange(shape.encodeRequest({ ...contact, host: 'localhost', random: randomBytes }))
  const done = contact.finish(shape.decodeResponse(answer)!)!
  const session = new ClientSession({
    root: done.keys.root,
    aead: aeads[done.reply[0]!]!,
    now: Date.now(),
    random: randomBytes,
    events: {},
  })
  session.renew()
  for (let i = 0; !session.mux.ready && i < 8; i++) await round(session, undefined)
  return session
}

const all: ClientSession[] = []
let next = 0
const worker = async (): Promise<void> => {
  while (next < sessions) all.push(await open(invites[next++ % invites.length]!))
}
await Promise.all(Array.from({ length: 16 }, worker))
/** Resolves once every poll is on its way; the polls themselves stay open. */
const hold = (): void => {
  for (const session of all) round(session, HOLD_MS).catch(() => {})
}
hold()
setTimeout(() => console.log(JSON.stringify({ held: all.length })), 3_000)
for await (const _ of lines) hold()
