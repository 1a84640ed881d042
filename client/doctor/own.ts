/** What a member's own exchanges meet: recognition, large bodies, requests that wait. In a session that ends with the look. */
import type { Shape } from '#engine/shape.ts'
import { Limits } from '#protocol/constants.ts'
import { isSottoError } from '#protocol/errors.ts'
import { aeads } from '#protocol/parcel.ts'
import { bindingOf } from '#protocol/recognition.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import { CloseCode } from '#protocol/session/frames.ts'
import { toAnswer } from '../carrier.ts'
import { hostOf, introduce } from '../introduction.ts'
import type { Visit } from './stranger.ts'

/** Milliseconds beyond a hold that an answer may take. */
const PATIENCE_MS = 15_000
/** Milliseconds in which a request is answered that has nothing to wait for. */
const AT_ONCE_MS = 5_000
/** Octets of a parcel in a request that says little. */
const SMALL = 200

/** How an exchange ended: the gateway's answer, somebody else's status, or an error code. */
type Ending = { readonly kind: 'ours' | 'other'; readonly afterMs: number; readonly said: string }

export async function visitAsMember(visit: Visit, holdMs: number): Promise<void> {
  let repeats = 0
  const session = await begin(visit, (count) => {
    repeats = count
  })
  if (session === undefined) return
  await checkBody(visit, session)
  await checkHold(visit, session, Math.min(holdMs, Limits.holdMs))
  session.mux.close(CloseCode.done)
  await exchange(visit, session, visit.template.shape('send'), SMALL)
  checkRepeats(visit, repeats)
}

/** Nothing was sent again here. */
function checkRepeats({ findings }: Visit, repeats: number): void {
  if (repeats === 0) return findings.good('repeats', 'Each request came once.')
  const mend = 'Nothing to do: what comes twice gets one answer. operator: no retries on the template’s paths.'
  findings.bad('repeats', 'warn', `Requests came ${repeats} times more than they were sent.`, mend)
}

async function begin(visit: Visit, repeated: (count: number) => void): Promise<ClientSession | undefined> {
  const { permit, template, clockwork, findings } = visit
  const { now, random } = clockwork
  try {
    const introduced = await introduce({
      ...{ permit, template, clockwork, preferredAead: 0, signal: new AbortController().signal },
      // Patient, as after a first failure.
      ...{ tries: 1, clockOffset: undefined, visited: () => {} },
    })
    findings.good('recognised', `The gateway knows you (${Math.round(introduced.rttMs)} ms, ${template.id}).`)
    const { root } = introduced.keys
    return new ClientSession({ root, aead: aeads[introduced.suite]!, now: now(), random, events: { repeated } })
  } catch (error) {
    if (!isSottoError(error)) throw error
    findings.bad('recognised', 'fail', `Not with ${template.id} (${error.code}: ${error.message}).`, error.next)
    return undefined
  }
}

async function exchange(
  { permit, clockwork }: Visit,
  session: ClientSession,
  shape: Shape,
  octets: number,
  holdMs?: number,
): Promise<Ending> {
  const { now, random } = clockwork
  const { number, token, parcel } = session.take(shape.up.fit(octets), { hold: holdMs }, bindingOf(shape))
  const request = shape.encodeRequest({ token, parcel, host: hostOf(permit), random })
  const began = now()
  try {
    const response = await permit.exchange(request, { family: shape.family, timeoutMs: (holdMs ?? 0) + PATIENCE_MS })
    const answer = toAnswer(response)
    const down = shape.decodeResponse(answer)
    const authentic = down !== undefined && session.receive(now(), number, down)
    permit.judge(response, authentic)
    return { kind: authentic ? 'ours' : 'other', afterMs: now() - began, said: `status ${answer.status}` }
  } catch (error) {
    if (!isSottoError(error)) throw error
    return { kind: 'other', afterMs: now() - began, said: error.code }
  }
}

async function checkBody(visit: Visit, session: ClientSession): Promise<void> {
  const shape = visit.template.shape('bulk')
  const { kind, said } = await exchange(visit, session, shape, shape.up.max)
  const size = `${Math.ceil(shape.up.max / 1024)} KiB`
  if (kind === 'ours') return visit.findings.good('body', `A request with ${size} comes through.`)
  const mend = 'Nothing to do: Sotto sends smaller ones. operator: let the web server accept bodies of 1 MiB.'
  visit.findings.bad('body', 'warn', `A request with ${size} does not come through (${said}).`, mend)
}

/** One request waits while another asks something. */
async function checkHold(visit: Visit, session: ClientSession, holdMs: number): Promise<void> {
  const { template, findings } = visit
  const held = exchange(visit, session, template.shape('poll'), SMALL, holdMs)
  const quick = await exchange(visit, session, template.shape('send'), SMALL)
  const news = 'operator: no buffering, and no queue of one request at a time, on the template’s paths.'
  if (quick.kind === 'ours' && quick.afterMs < AT_ONCE_MS)
    findings.good('buffering', `While one request waits, another is answered in ${Math.round(quick.afterMs)} ms.`)
  else
    findings.bad('buffering', 'warn', `While one request waits, another is answered late or not (${quick.said}).`, news)
  const { kind, afterMs, said } = await held
  const waited = `${Math.round(afterMs / 1000)} s`
  if (kind === 'ours') return findings.good('hold', `A request may wait ${waited} and is answered.`)
  const mend = 'Nothing to do: Sotto finds out and asks more often. operator: let the web server wait for 75 s.'
  findings.bad('hold', 'warn', `A request that waits is ended after ${waited} (${said}).`, mend)
}
