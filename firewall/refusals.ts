/** What a person is told when the firewall says no. */
import { SottoError } from '#protocol/errors.ts'
import type { Refusal } from './policy.ts'

const texts: Readonly<Record<Refusal, string>> = {
  'unknown-endpoint': 'No invite names this endpoint.',
  'invite-expired': 'The invite expired before the gateway was reached.',
  'too-many-endpoints': 'The list of gateways is full: forget one that you do not use.',
  'too-many-exchanges': 'Too many requests to this endpoint are under way.',
  'too-many-sockets': 'Too many sockets are open.',
  'bad-method': 'Only GET, and POST with a body, go through.',
  'bad-target': 'The path of the request is not one that may be sent.',
  'bad-header': 'A header field of the request is not one that may be sent.',
  'other-host': 'The request names another host than the endpoint.',
  'bad-length': 'The body of the request is too large, or not as long as it says.',
  'bad-timeout': 'The time limit of the request is out of bounds.',
  'bad-connection': 'The connection has no usable name.',
  'malformed-call': 'The core asked for something the firewall does not know.',
  'broken-pipe': 'The core broke the rules of the pipe.',
}

export function refusalError(reason: Refusal): SottoError {
  return new SottoError('E_FIREWALL_REFUSED', `Refused by the firewall: ${texts[reason]}`)
}
