/**
 * What two people say about pictures, as bodies of the message type `avatar`.
 *
 *     ask     1 (1) || hash (32)       the picture that your newest card names is not here
 *     give    2 (1) || avatar          (avatar.ts)
 */
import { concat } from '#protocol/bytes.ts'
import { AVATAR_HASH_LENGTH, type Avatar, readAvatar } from './avatar.ts'

const Kind = { ask: 1, give: 2 } as const

export type AvatarStep =
  | { readonly step: 'ask'; readonly hash: Uint8Array }
  | { readonly step: 'give'; readonly avatar: Avatar }

export function encodeAvatarStep(said: AvatarStep): Uint8Array {
  if (said.step === 'ask') return concat(Uint8Array.of(Kind.ask), said.hash)
  return concat(Uint8Array.of(Kind.give), said.avatar.bytes)
}

/** undefined where anything is not as above. */
export function decodeAvatarStep(body: Uint8Array): AvatarStep | undefined {
  const rest = body.subarray(1)
  if (body[0] === Kind.ask) return rest.length === AVATAR_HASH_LENGTH ? { step: 'ask', hash: rest.slice() } : undefined
  const avatar = body[0] === Kind.give ? readAvatar(rest) : undefined
  return avatar && { step: 'give', avatar }
}
