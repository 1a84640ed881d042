/** Waiting for a message to leave this machine, and what is said where it does not. */
import type { ChatEvent, MessageView } from '#client/chat/events.ts'
import type { Member } from '#client/member.ts'
import type { SottoError } from '#protocol/errors.ts'

/** Milliseconds to wait for a gateway before a command that needs it gives up. */
export const REACH_MS = 30_000

export function describeWaiting(why: SottoError | undefined): string {
  const kept = why?.kept ?? 'The message is kept here, and goes out when Sotto is next connected.'
  return why === undefined ? `Not sent yet. ${kept}` : `Not sent yet: ${why.message} (${why.code}).\n  ${kept}`
}

/** Milliseconds to wait for a message to leave. It stays in the outbox after that. */
const LEAVE_MS = 30_000

/** Resolves once a message has left this machine; with `pending` where the gateway refuses it, or after `LEAVE_MS`. */
export function leftHere(member: Member, message: MessageView): Promise<MessageView['status']> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve('pending'), LEAVE_MS)
    const done = (act: () => void): void => {
      clearTimeout(timer)
      act()
    }
    member.chat.onEvent((event: ChatEvent) => {
      if (event.type === 'receipt' && event.messages.includes(message.id)) done(() => resolve(event.status))
      if (event.type === 'problem' && event.contact === message.contact) done(() => reject(event.error))
    })
    // Others may be refused, and this one not: wait for what is under way.
    member.onRefusal(() => void member.settled(0, LEAVE_MS).then(() => done(() => resolve('pending'))))
  })
}
