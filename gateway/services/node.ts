/**
 * What somebody asks of their own node: letting friends in, and out again. Spec section 9.8. A friend is a guest, who may
 * lay messages and files into queues and take prekeys and cards, and no more; known here by a random id alone.
 *
 *     node.keep    {friends: [id 16]*}   ends every friend who is not named      -> {place: 16}   changes when the node moves
 *     node.invite  {friend: id 16}       a new invite; ends what was before      -> {link}
 *
 * Refusals: `invalid` `forbidden` (guests) `unavailable`
 */
import type { Millis } from '#protocol/bytes.ts'
import { hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { encodeMessage } from '#protocol/services/codec.ts'
import type { Service, UnaryHandler } from '#protocol/services/service.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { createInvitesIn, placeOf } from '../admin/invites.ts'
import { MemberLimits } from '../members-records.ts'
import type { GatewayState } from '../state.ts'
import { guarded, ofMembers } from './guarded.ts'

export const NodeLimits = {
  /** Friends, by count. Attack: none from outside; bounds one question. */
  friends: 256,
  /** Times that one invite may be used: a friend who comes back with a new computer needs no other. */
  uses: 4,
} as const

const FRIEND = 'friend '
const ID_LENGTH = 16
/** The name of an invite for a friend: those made by hand have other names, and are left alone. */
const ofFriend = /^friend ([0-9a-f]{32})$/

export function nodeService(state: GatewayState, now: () => Millis, onFault: (error: unknown) => void): Service {
  const node = new Node(state, now)
  const own = (handler: UnaryHandler): UnaryHandler => guarded(ofMembers(handler), onFault)
  return {
    unary: {
      'node.keep': own(async (args) => await node.keep(friendsIn(args))),
      'node.invite': own(async (args) => await node.invite(friendIn((args as { friend?: unknown } | null)?.friend))),
    },
    subscribe: {},
  }
}

class Node {
  private readonly state: GatewayState
  private readonly now: () => Millis

  constructor(state: GatewayState, now: () => Millis) {
    this.state = state
    this.now = now
  }

  async keep(friends: ReadonlySet<string>): Promise<{ readonly place: Uint8Array }> {
    await this.end((friend) => !friends.has(friend))
    const { config, packRoot } = this.state
    const place = encodeMessage([await placeOf(this.state), config.templates[0], packRoot])
    return { place: sha256(utf8('sotto/1/place'), place).slice(0, 16) }
  }

  async invite(friend: string): Promise<{ readonly link: string }> {
    await this.end((other) => other === friend)
    const request = { count: 1, name: FRIEND + friend, uses: NodeLimits.uses, days: MemberLimits.inviteDays } as const
    const [made] = await createInvitesIn(this.state, { ...request, role: 'guest' }, this.now())
    return { link: made!.link }
  }

  private async end(isOver: (friend: string) => boolean): Promise<void> {
    const { members } = this.state
    for (const { id, name, state } of members.listInvites(this.now())) {
      const friend = state === 'revoked' ? undefined : ofFriend.exec(name)?.[1]
      if (friend !== undefined && isOver(friend)) await members.revoke(id)
    }
  }
}

function friendIn(value: unknown): string {
  if (!(value instanceof Uint8Array) || value.length !== ID_LENGTH) throw new ServiceFailure('invalid')
  return hex(value)
}

function friendsIn(args: unknown): ReadonlySet<string> {
  const friends = (args as { friends?: unknown } | null)?.friends
  if (!Array.isArray(friends) || friends.length > NodeLimits.friends) throw new ServiceFailure('invalid')
  return new Set(friends.map(friendIn))
}
