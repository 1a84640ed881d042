/** What a person is told when the firewall says no. */
import { SottoError } from '#protocol/errors.ts'
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
  'too-many-lists': 'Too many lists of gateways were offered in a short time.',
  'too-many-exchanges': 'Too many requests to this endpoint are under way.',
  'bad-method': 'Only GET, and POST with a body, go through.',
  'bad-target': 'The path of the request is not one that may be sent.',
  'bad-header': 'A header field of the request is not one that may be sent.',
  'other-host': 'The request names another host than the endpoint.',
  'bad-length': 'The body of the request is too large, or not as long as it says.',
  'bad-timeout': 'The time limit of the request is out of bounds.',
  'bad-connection': 'The connection has no usable name.',
  'beyond-a-page': 'No page of a browser can send this request: choose another look.',
  'browser-request': 'The browser asked for something that no invite names.',
  'malformed-call': 'The core asked for something the firewall does not know.',
  'broken-pipe': 'The core broke the rules of the pipe.',
}

export function refusalError(reason: Refusal): SottoError {
  return new SottoError('E_FIREWALL_REFUSED', `Refused by the firewall: ${texts[reason]}`)
}
