/** What the chat tells the views, and the forms it tells it in. */
import type { Millis } from '#protocol/bytes.ts'
import type { SottoError } from '#protocol/errors.ts'
import type { ContactStatus } from './model.ts'
import type { ProofView } from './proof-state.ts'

/** 64 letters of hexadecimal: the contact's uid. */
export type ContactId = string
/** 32 letters of hexadecimal. */
export type MessageId = string

export interface ContactView {
  readonly id: ContactId
  /** What to show: our name for them, or theirs, or empty until their card has arrived. */
  readonly name: string
  /** As they call themselves. */
  readonly ownName: string
  readonly status: ContactStatus
  readonly verified: boolean
  /** They have other keys than before, and the digits were not compared since. */
  readonly changed: boolean
  readonly unread: number
  readonly readReceipts: boolean
  /** Whether they may see that we are there, where something was said of them alone. */
  readonly sees?: boolean
  readonly added: Millis
  /** Seconds until what is said from now on disappears after reading; 0: it stays. */
  readonly timer: number
  /** Gateway, `host:port`, that the person has named for them. */
  readonly address?: string
  /** Whether both know the same secret: what is under way, or how it ended. */
  readonly proof?: ProofView
  /** They show a picture: its hash, 64 letters of hexadecimal. */
  readonly avatar?: string
  /** It is here, and not an earlier one or none. */
  readonly avatarHere?: true
}

/** Whether somebody is there, as far as is known. */
export interface PresenceView {
  readonly state: 'online' | 'offline' | 'unknown'
  /** When it was said, or found out. */
  readonly at: Millis
  /** Whose word it is. */
  readonly by: 'themselves' | 'friends' | 'tracker'
}

/** Of our own messages: waiting here, in the contact's mailbox, with the contact, seen. */
export type MessageStatus = 'pending' | 'sent' | 'delivered' | 'read'

export interface FileView {
  /** Harmless for file systems and screens. */
  readonly name: string
  /** Octets. */
  readonly size: number
  /** Red, green and blue of each pixel, rows from the top, in base64url. */
  readonly picture?: { readonly width: number; readonly height: number; readonly pixels: string }
}

export interface MessageView {
  readonly id: MessageId
  readonly contact: ContactId
  readonly from: 'me' | 'them'
  readonly text: string
  readonly time: Millis
  /** Of theirs: always `delivered`, or `read` once we have. */
  readonly status: MessageStatus
  /** Something they sent before this one is not here (yet). */
  readonly gapBefore: boolean
  /** The message that it answers. */
  readonly answers?: MessageId
  /** It is a file; its text is its name. */
  readonly file?: FileView
  readonly edited?: true
  /** Its text is gone. */
  readonly withdrawn?: true
  /** Seconds after reading until it disappears. */
  readonly timer?: number
  readonly myReaction?: string
  readonly theirReaction?: string
}

export type ChatEvent =
  /** A message of theirs, or one of ours from another view. */
  | { readonly type: 'message'; readonly message: MessageView }
  /** A message was edited, withdrawn, or reacted to. */
  | { readonly type: 'changed'; readonly message: MessageView }
  /** A message has disappeared. */
  | { readonly type: 'gone'; readonly contact: ContactId; readonly message: MessageId }
  /** Our messages that moved on, oldest first. */
  | {
      readonly type: 'receipt'
      readonly contact: ContactId
      readonly status: 'sent' | 'delivered' | 'read'
      readonly messages: readonly MessageId[]
    }
  /** Added, a request, or changed. */
  | { readonly type: 'contact'; readonly contact: ContactView }
  /** They have updated their keys: the digits are others now. */
  | { readonly type: 'keys'; readonly contact: ContactView }
  /** They offer a node of theirs, or another than before, or none any more. */
  | { readonly type: 'node'; readonly contact: ContactView; readonly offered: boolean }
  /** What we told them of a node of ours lies in their mailbox. */
  | { readonly type: 'node-told'; readonly contact: ContactId }
  /** Somebody is there, or is not, or it is not known any more. */
  | { readonly type: 'presence'; readonly contact: ContactId; readonly presence: PresenceView }
  /** It is the person's turn to type a secret, or it is known whether both know the same. */
  | { readonly type: 'proof'; readonly contact: ContactView }
  | { readonly type: 'removed'; readonly contact: ContactId }
  | { readonly type: 'problem'; readonly contact?: ContactId; readonly error: SottoError }

export type Emit = (event: ChatEvent) => void
