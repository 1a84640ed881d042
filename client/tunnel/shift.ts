/** Tries other templates beside the one in use, and changes over to one that carries where that one does not. */
import type { CompiledTemplate, Shape } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import { bindingOf } from '#protocol/recognition.ts'
import { tryExchange } from '../carrier.ts'
import { hostOf } from '../introduction.ts'
import { firstRequest } from '../visit.ts'
import type { Epoch } from './epoch.ts'
import type { Shared } from './input.ts'
import { PARCEL_OVERHEAD } from './input.ts'

/** Numbers of a session that may be spent on templates that do not carry, since one did. The gateway expects 16 ahead. */
const SPARE_NUMBERS = 6

export type Outcome = 'carried' | 'failed' | 'busy'

/** One exchange of each kind of a message. 'busy': there is no session, or no number to spare, to try it with. */
export async function tryTemplate(shared: Shared, epoch: Epoch, template: CompiledTemplate): Promise<Outcome> {
  if (!epoch.session.mux.ready) return 'busy'
  for (const shape of new Set([template.shape('send'), template.shape('poll')])) {
    const outcome = await tryShape(shared, epoch, shape, firstRequest(template))
    if (outcome !== 'carried') return outcome
  }
  return 'carried'
}

/** Two attempts, as anything on a network needs; nothing of it counts for the path in use. */
async function tryShape(shared: Shared, epoch: Epoch, shape: Shape, first: HttpRequest | undefined): Promise<Outcome> {
  const { session, abort } = epoch
  const { clockwork, permit, path, attire, counted } = shared
  if (epoch.isOver || !session.mayTake || epoch.spent >= SPARE_NUMBERS) return 'busy'
  const outgoing = session.takeBare(shape.up.fit(PARCEL_OVERHEAD), bindingOf(shape))
  const request = shape.encodeRequest({ ...outgoing, host: hostOf(permit), random: clockwork.random })
  const accept = (parcel: Uint8Array): boolean => session.receive(clockwork.now(), outgoing.number, parcel)
  const timeoutMs = path.patience
  // The trial runs beside the template in use, and takes no connection from it.
  const connections = attire.template.rhythm.concurrency
  counted.exchanges++
  for (let attempt = 0; attempt < 2; attempt++) {
    if (await tryExchange({ permit, shape, first, connections, request, timeoutMs, accept, signal: abort.signal })) {
      epoch.spent = 0
      return 'carried'
    }
    if (epoch.isOver) return 'busy'
  }
  session.abandon(outgoing.number)
  epoch.spent++
  return 'failed'
}

/** Looks for a template that carries, and goes on with it through `wear`. False where none of the others does. */
export async function shift(
  shared: Shared,
  epoch: Epoch,
  wear: (template: CompiledTemplate) => void,
): Promise<boolean> {
  const { looks, attire, path, clockwork } = shared
  if (looks === undefined || epoch.shifting) return false
  epoch.shifting = true
  epoch.shiftAfter *= 2
  try {
    const before = attire.template
    const candidates = path.edge.order(await looks.candidates(), clockwork.now())
    for (const template of candidates) {
      if (template === before || (await tryTemplate(shared, epoch, template)) !== 'carried') continue
      wear(template)
      epoch.refused = false
      // What looks like those that do not carry goes out again in the new one.
      for (const [given, look] of epoch.underWay) if (look !== template) given.abort()
      looks.took(template)
      return true
    }
    return false
  } finally {
    epoch.shifting = false
  }
}
