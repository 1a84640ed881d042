/**
 * Whether a member who comes through everything that stands in front is known to the gateway. Nothing that a stranger sees tells that,
 * and that is the point of it: so the doctor makes itself an invite, goes the way of a member once with each template, and forgets it.
 */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Random } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { CREDENTIAL_ID_LENGTH, initiate, type Membership } from '#protocol/handshake.ts'
import { bindingOf, deriveCohort } from '#protocol/recognition.ts'
import type { NewInvite } from '../members-records.ts'
import { type GatewayState, openState } from '../state.ts'
import { ask, headerOf, type Place, type Reply } from './ask.ts'
import { bad, type Finding, good } from './finding.ts'

/** Octets of a first contact, as a member's client has them. */
const CONTACT_OCTETS = 320
/** Milliseconds in which a running gateway has noticed a new invite: it looks every quarter of a second. */
const NOTICED_MS = 1_000

export interface RecognisedInput {
  readonly folder: string
  readonly place: Place
  readonly templates: readonly CompiledTemplate[]
  /** The website's first page: members take the time from it. */
  readonly page: Reply
  readonly now: number
  readonly random: Random
}

/** Never throws: what cannot be tried is a finding. */
export async function checkRecognised(input: RecognisedInput): Promise<Finding> {
  try {
    const state = await openState(input.folder)
    try {
      return await tryTemplates(state, input)
    } finally {
      await state.close()
    }
  } catch (error) {
    const what = isSottoError(error) ? `${error.code}: ${error.message}` : String(error)
    return bad(
      'recognised',
      'fail',
      `It could not be tried (${what}).`,
      isSottoError(error) ? error.next : 'Try again.',
    )
  }
}

async function tryTemplates(state: GatewayState, input: RecognisedInput): Promise<Finding> {
  const request = { name: 'doctor', uses: 1, days: 1, role: 'guest' } as const
  const [invite] = await state.members.createInvites(1, request, input.now)
  const { random } = input
  const membership: Membership = {
    kind: 'redeem',
    ...{ code: invite!.code, credentialId: random(CREDENTIAL_ID_LENGTH), credentialKey: random(32) },
  }
  try {
    await new Promise((resolve) => setTimeout(resolve, NOTICED_MS))
    const strange: string[] = []
    for (const template of input.templates)
      if (!(await isKnown(state, invite!, membership, template, input))) strange.push(template.id)
    return judge(strange, input.templates.length)
  } finally {
    await state.members.forget(invite!.info.id, invite!.code)
  }
}

function judge(strange: readonly string[], count: number): Finding {
  if (strange.length === 0) return good('recognised', 'A member who comes is known to the gateway.')
  const mend =
    strange.length === count
      ? 'Has the web server been reloaded since init, is the snippet in the website’s own server block (nginx) or route (Caddy), and may its user open the socket? systemctl reload nginx, then its error log.'
      : 'Run sotto gateway init again, then reload the web server and restart the gateway.'
  return bad('recognised', 'fail', `Members get the website instead of the gateway with ${strange.join(', ')}.`, mend)
}

async function isKnown(
  { gatewayKey }: GatewayState,
  { cohort }: NewInvite,
  membership: Membership,
  template: CompiledTemplate,
  { place, page, now, random }: RecognisedInput,
): Promise<boolean> {
  const shape = template.shape('send')
  const date = Date.parse(headerOf(page, 'date') ?? '')
  const contact = initiate({
    ...{ gatewayKey, cohort: deriveCohort(cohort.secret), membership, random },
    ...{ hello: Uint8Array.of(0), binding: bindingOf(shape), length: shape.up.fit(CONTACT_OCTETS) },
    now: Number.isNaN(date) ? now : date,
  })
  const host = place.port === 443 ? place.domain : `${place.domain}:${place.port}`
  const reply = await ask(place, shape.encodeRequest({ ...contact, host, random })).catch(() => undefined)
  if (reply === undefined) return false
  const { status, body } = reply
  const parcel = shape.decodeResponse({ status, header: (name) => headerOf(reply, name), body: new Uint8Array(body) })
  return parcel !== undefined && contact.finish(parcel) !== undefined
}
