/** One exchange of a session, from its parcel to what came of it, in as many attempts and numbers as that takes. */
import type { CompiledTemplate, Form } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { Millis } from '#protocol/bytes.ts'
import { bindingOf } from '#protocol/recognition.ts'
import type { Outgoing } from '#protocol/session/client-session.ts'
import type { ExchangeResult } from '../carrier.ts'
import { performExchange } from '../carrier.ts'
import { hostOf } from '../introduction.ts'
import { firstRequest } from '../visit.ts'
import type { Epoch } from './epoch.ts'
import type { Shared } from './input.ts'
import { shift } from './shift.ts'

/** Numbers that may be spent, since an exchange came through, on saying the same in a request that looks different. */
const SPARE_RENEWALS = 4

export interface ExchangePlan {
  readonly shape: Form
  /** Octets of the parcel, one class of the shape. */
  readonly length: number
  /** Milliseconds the gateway may hold it. */
  readonly hold: number
  /** It moves up to so many octets, whichever way is more. */
  readonly octets: number
}

/** Who wants to know of the exchanges of one session. */
export interface ExchangeEvents {
  /** The same content goes on under another number. */
  renumbered(before: number, after: number): void
  /** It fails and nothing else is heard of: a small exchange would tell whether it is the path. */
  probe(): void
  /** Another template carries. */
  wear(template: CompiledTemplate): void
}

/** Begins an exchange and returns its number. `done`: what came of it, and the number that it had at last. */
export function beginExchange(
  shared: Shared,
  epoch: Epoch,
  plan: ExchangePlan,
  events: ExchangeEvents,
  done: (result: ExchangeResult | undefined, number: number) => void,
): number {
  const { session, abort } = epoch
  const { clockwork, path, attire } = shared
  const { shape, hold } = plan
  const { line } = shared.socket
  const isOnSocket = line?.look.messages === shape
  // On a socket there is no other connection to take.
  const octets = isOnSocket ? 0 : plan.octets
  const permit = isOnSocket ? { ...shared.permit, exchange: line.exchange.bind(line) } : shared.permit
  let outgoing: Outgoing
  const encode = (): HttpRequest => {
    outgoing = session.take(plan.length, { hold, room: path.answerRoom(shape) }, bindingOf(shape))
    return shape.encodeRequest({ ...outgoing, host: hostOf(permit), random: clockwork.random })
  }
  const encodeAnew = (): HttpRequest | undefined => {
    if (!session.mayTake || epoch.renewed >= SPARE_RENEWALS) return undefined
    epoch.renewed++
    const before = outgoing.number
    session.abandon(before)
    const request = encode()
    events.renumbered(before, outgoing.number)
    return request
  }
  const request = encode()
  const { number } = outgoing!
  shared.counted.exchanges++
  const accept = (parcel: Uint8Array): boolean => session.receive(clockwork.now(), outgoing.number, parcel)
  const given = new AbortController()
  const { signal } = given
  const look = (): Promise<boolean> => shift(shared, epoch, events.wear)
  const failing = (since: Millis): void => {
    if (clockwork.now() - since >= epoch.shiftAfter) look().catch(() => {})
  }
  epoch.underWay.set(given, attire.template)
  if (isOnSocket) epoch.onSocket.add(given)
  const mayRetry = (): boolean => session.mayRetry(clockwork.now(), outgoing.number)
  const again = (): void => void epoch.again++
  const told = { accept, mayRetry, failing, again, probe: () => events.probe(), signal }
  const connections = attire.template.rhythm.concurrency
  const first = firstRequest(attire.template)
  performExchange({ permit, path, clockwork, shape, first, connections, request, encodeAnew, hold, octets, ...told })
    .then(async (result) => {
      await judge(shared, epoch, plan, result, outgoing.number, look)
      return result
    })
    .catch(() => {
      if (!abort.signal.aborted) session.abandon(outgoing.number)
      return undefined
    })
    .then((result) => {
      epoch.underWay.delete(given)
      epoch.onSocket.delete(given)
      done(result, outgoing.number)
    })
  return number
}

async function judge(
  { path, clockwork }: Shared,
  epoch: Epoch,
  { shape, length }: ExchangePlan,
  result: ExchangeResult,
  number: number,
  look: () => Promise<boolean>,
): Promise<void> {
  if (result.kind === 'authentic') return epoch.carried()
  epoch.session.abandon(number)
  if (result.kind === 'unfit') {
    // Smaller parcels from now on; where there are none, another template may carry.
    path.edge.fit.tooLarge(shape, length, result.said ?? false, clockwork.now())
    if (length <= shape.up.classes[0]!) look().catch(() => {})
  }
  if (result.kind !== 'stranger') return
  // The gateway does not take this template any more, or has forgotten the session (a restart, a long sleep).
  epoch.refused = true
  if (epoch.shifting || (await look()) || epoch.isOver) return
  epoch.giveUp()
}
