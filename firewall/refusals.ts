/** What a person is told when the firewall says no. */
import { SottoError } from '#protocol/errors.ts'
import type { DialerReport } from './permit.ts'
import type { Refusal } from './policy.ts'

const texts: Readonly<Record<Refusal, string>> = {
  'unknown-endpoint': 'No invite names this endpoint.',
  'invite-expired': 'The invite expired before the gateway was reached.',
  'too-many-endpoints': 'The list of gateways is full: forget one that you do not use.',
  'nothing-to-undo': 'No change of the list can be taken back any more.',
  'list-format': 'The list of gateways is damaged, or is none.',
  'list-signature': 'The list of gateways is not signed under the root key of a gateway that you have joined.',
  'list-expired': 'The list of gateways is not valid now, or the clock of this machine is wrong.',
  'list-old': 'A newer list of gateways was taken in before.',
  'list-near': 'The list of gateways leads into a private network, which no gateway of the invite is in.',
  'too-many-lists': 'Too many lists of gateways were offered in a short time.',
  'peer-format': 'What a contact offers of a node is damaged, or not signed by who it names.',
  'peer-near': 'A contact offers a node in a private network, which no gateway of yours is in.',
  'peer-old': 'A newer offer of the same contact was taken in before.',
  'too-many-peers': 'Too many contacts offer their nodes.',
  'too-many-exchanges': 'Too many requests to this endpoint are under way.',
  'too-many-sockets': 'Too many sockets are open.',
  'bad-method': 'Only GET, and POST with a body, go through.',
  'bad-target': 'The path of the request is not one that may be sent.',
  'bad-header': 'A header field of the request is not one that may be sent.',
  'other-host': 'The request names another host than the endpoint.',
  'bad-length': 'The body of the request is too large, or not as long as it says.',
  'bad-timeout': 'The time limit of the request is out of bounds.',
  'bad-connection': 'The connection has no usable name.',
  'beyond-a-page': 'No page of a browser can send this request: choose another look.',
  'browser-request': 'The browser asked for something that no invite names.',
  'closed-road': 'Something in the firewall’s own process tried another way out than the guarded one.',
  'core-denied': 'Something in the core tried what Node’s permissions keep from it.',
  'kernel-denied': 'Something tried to reach the network past the firewall, and the kernel refused it.',
  'no-dialer': 'Nothing here looks like the client that the request claims to come from.',
  'malformed-call': 'The core asked for something the firewall does not know.',
  'broken-pipe': 'The core broke the rules of the pipe.',
}

/** A reason that another version wrote is given as it is. */
export function refusalText(reason: Refusal): string {
  return texts[reason] ?? reason
}

/** What to do next, where it is not what the code says. */
const nexts: Partial<Readonly<Record<Refusal, string>>> = {
  'nothing-to-undo': 'sotto firewall list shows what is on the list, sotto firewall log how it came there.',
  'too-many-endpoints': 'sotto firewall forget takes one off the list.',
  'list-format': 'Ask for the list again.',
  'list-signature': 'Ask the operator of your gateway for the list.',
  'list-expired': 'Ask for a new list, or set the clock.',
  'list-old': 'Nothing: the newer one is in use.',
  'list-near': 'Ask the operator of your gateway what this is about.',
  'peer-near': 'Messages go by the mailbox, as before. Ask your contact what this is about.',
}

export function refusalError(reason: Refusal): SottoError {
  const next = nexts[reason]
  const what = `Refused by the firewall: ${texts[reason]}`
  return new SottoError('E_FIREWALL_REFUSED', what, next === undefined ? {} : { next })
}

/** The dialer that was asked for refuses to work here. */
export function unfitError({ family, version, unfit }: DialerReport & { readonly unfit: string }): SottoError {
  return new SottoError('E_DIALER_UNFIT', `Traffic cannot look like ${family} ${version} here: ${unfit}.`)
}
