/**
 * What a person gives a contact who may connect to their node: an invite of the node, signed with their identity. Spec
 * section 17.
 *
 *     offer     = "sotto/1/peer" 0x0a || version 4 || root 32 || invite || signature 64 by the root key
 *     signature = Ed25519 over "sotto/1/peer-offer" 0x0a || everything before it
 *     invite    = the link of an invite with one gateway, as text
 *
 * The root key is that of the person's newest document. Of two offers under one key the one with the higher version counts.
 */
import type { Millis } from './bytes.ts'
import { concat, fastEqual, fromUtf8, readU32, u32, utf8 } from './bytes.ts'
import { KEY_LENGTH } from './constants.ts'
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from './crypto/ed25519.ts'
import { isSottoError } from './errors.ts'
import type { Invite } from './invite.ts'
import { parseInvite } from './invite.ts'

export interface PeerOfferLimits {
  /** Octets. Attack: a contact fills memory and disk. An invite of one gateway with four addresses has about 700. */
  readonly bytes: number
}

export const PeerOfferLimits: PeerOfferLimits = Object.freeze({ bytes: 2_048 })

export interface PeerOffer {
  readonly version: number
  /** Root key of the person whose node it is. */
  readonly root: Uint8Array
  /** With one gateway. It may have expired: whether that counts depends on whether it was used before. */
  readonly invite: Invite
}

const SIGNATURE_LENGTH = 64
const MAGIC = utf8('sotto/1/peer\n')
const LABEL = utf8('sotto/1/peer-offer\n')
const ROOT_AT = MAGIC.length + 4
const INVITE_AT = ROOT_AT + KEY_LENGTH
/** Invites are looked at whatever the time is. */
const ANY_TIME: Millis = 0

/** @throws RangeError where it holds something that `parsePeerOffer` would refuse */
export function sealPeerOffer(rootSeed: Uint8Array, version: number, link: string): Uint8Array {
  const content = concat(MAGIC, u32(version), ed25519PublicKey(rootSeed), utf8(link))
  const offer = concat(content, ed25519Sign(rootSeed, concat(LABEL, content)))
  if (parsePeerOffer(offer) === undefined) throw new RangeError('an offer that nobody would take')
  return offer
}

/** What the octets say, signed by who they name; undefined where they are no offer, or the signature is wrong. */
export function parsePeerOffer(bytes: Uint8Array): PeerOffer | undefined {
  if (bytes.length > PeerOfferLimits.bytes || bytes.length <= INVITE_AT + SIGNATURE_LENGTH) return undefined
  if (!fastEqual(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined
  const root = bytes.slice(ROOT_AT, INVITE_AT)
  const content = bytes.subarray(0, -SIGNATURE_LENGTH)
  if (!ed25519Verify(root, bytes.slice(-SIGNATURE_LENGTH), concat(LABEL, content))) return undefined
  const invite = inviteIn(fromUtf8(content.slice(INVITE_AT)))
  const version = readU32(bytes, MAGIC.length)
  return invite?.gateways.length === 1 && version > 0 ? { version, root, invite } : undefined
}

/** One spelling: white space around the link would make another offer of it. */
function inviteIn(link: string | undefined): Invite | undefined {
  if (link === undefined || link !== link.trim()) return undefined
  try {
    return parseInvite(link, ANY_TIME)
  } catch (error) {
    if (isSottoError(error)) return undefined
    throw error
  }
}
