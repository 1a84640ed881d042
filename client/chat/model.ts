/** What the chat keeps, in the forms its parts work with. All of it is replaced, never changed in place. */
import type { Millis } from '#protocol/bytes.ts'
import type { BoxedAddress } from './address.ts'
import type { AvatarState } from './avatars/avatar-state.ts'
import type { SeenBundle } from './bundle.ts'
import type { PublicIdentity } from './documents.ts'
import type { MessageType } from './envelope.ts'
import type { FileNote } from './files/note.ts'
import type { QueueRef } from './ports.ts'
import type { Showing } from './presence/visibility.ts'
import type { Proof } from './proof-state.ts'
import type { ActiveRatchet } from './ratchet.ts'

/** accepted: we write to each other. request: a stranger wrote first. blocked: what they write is dropped. */
export type ContactStatus = 'accepted' | 'request' | 'blocked'

/** Names a session of a contact; the one with the highest stamp, then id, is used for sending. */
export interface SessionRef {
  readonly id: Uint8Array
  readonly stamp: number
}

/** How far we are in a contact's series. Spec in sequence.ts. */
export interface Received {
  /** Every counter up to this one has come; 0 before the first series. */
  readonly upTo: number
  /** Hash of the envelope with counter `upTo`. */
  readonly hash: Uint8Array
  /** Beyond the first gap, ascending by counter. */
  readonly ahead: readonly (readonly [counter: number, hash: Uint8Array])[]
}

export interface Repair {
  /** When sessions were started to mend a broken one, within the last hour. */
  readonly attempts: readonly Millis[]
  /** Counter of our request to resend while it is unanswered, else 0. */
  readonly pending: number
  /** Something could not be read, and nobody was asked to send it again yet. */
  readonly due: boolean
}

export interface Contact extends PublicIdentity {
  /** As they call themselves; empty until their card is here. */
  readonly name: string
  /** As we call them; empty for none. */
  readonly petname: string
  readonly status: ContactStatus
  /** The person has compared the digits. */
  readonly verified: boolean
  readonly added: Millis
  /** Their newest card; empty until it is here. */
  readonly card: Uint8Array
  /** Their queues for us. */
  readonly addresses: readonly BoxedAddress[]
  /** Gateway that the person has named for them, instead of those in cards and addresses; no part of anything signed. */
  readonly byHand?: Uint8Array
  /** Counter of the newest hello of theirs. */
  readonly helloCounter: number
  /** Ascending. */
  readonly sessions: readonly SessionRef[]
  /** Our series: the next counter, and the hash of the last envelope. */
  readonly sent: { readonly next: number; readonly hash: Uint8Array }
  readonly received: Received
  /** Time that their newest message is shown with. */
  readonly shownTime: Millis
  readonly unread: number
  /** Highest counter of theirs that the person has seen. */
  readonly read: number
  /** Highest counter of ours that they have seen. */
  readonly theirRead: number
  /** Whether they may know what we have seen. */
  readonly readReceipts: boolean
  /** A receipt is due. */
  readonly owesReceipt: boolean
  /** Hash of the hello they were last sent; empty for none. */
  readonly announced: Uint8Array
  readonly repair: Repair
  /** What was sealed in a session with a lower stamp must be sealed anew: they asked for it. */
  readonly resealBelow: number
  /** A session must be begun before anything is sealed: for what comes from now on, or for all that waits. Missing: none. */
  readonly begin?: '' | 'new' | 'all'
  /** Newest that was seen on their shelf. */
  readonly shelf?: SeenBundle
  /** Their keys were updated, and the person has not compared the digits since. */
  readonly changed?: boolean
  /** Stamp of a session that was started because nothing was heard for long, until something comes in it; else 0. */
  readonly probing: number
  /** What is said from now on disappears so many seconds after it was read; missing or 0: it stays. */
  readonly timer?: number
  /** Sender's clock when the timer was last set, by either side. */
  readonly timerSet?: Millis
  /** What we offer them: a node of ours. Missing: nothing. */
  readonly node?: OwnNode
  /** What they told of a node of theirs, last; an empty offer where there is none any more. */
  readonly peer?: TheirNode
  /** What was taken in while they were a request. */
  readonly strange?: number
  /** Hash of their newest hello. */
  readonly greeting?: Uint8Array
  /** Who stole their old keys knows our queues for them: those are replaced with the next hello. */
  readonly requeue?: boolean
  /** Whether they may see that we are there; missing: as friends may in general. */
  readonly sees?: boolean
  /** Proving to each other that both know a secret. */
  readonly proof?: Proof
  /** The picture that they show, and ours for them. Missing: nothing is known of either. */
  readonly avatar?: AvatarState
}

/** A node of ours, as far as one contact is concerned. */
export interface OwnNode {
  /** 16 octets, random: what the node knows them by. */
  readonly friend: Uint8Array
  /** Mark of the place that the offer is of; empty until the node has given an invite for them. */
  readonly place: Uint8Array
  /** The node, as addresses name it. */
  readonly gateway: Uint8Array
  readonly offer: Uint8Array
  readonly version: number
  /** Hash of what they were told last; empty for nothing. */
  readonly told: Uint8Array
  /** When they were told of another place, as far as it counts (`ChatLimits.nodeTellingsMs`). Missing: never. */
  readonly tellings?: readonly Millis[]
}

/** A node of theirs. */
export interface TheirNode {
  /** Of the message that told it. */
  readonly counter: number
  /** Signed by them, as the firewall judges it; empty for none. */
  readonly offer: Uint8Array
  /** Their queue for us there. */
  readonly address?: BoxedAddress
}

/** What somebody thinks of a message. */
export interface Reaction {
  /** Empty once it was taken back. */
  readonly symbol: string
  /** Of the message that said so. */
  readonly counter: number
}

/** A message that disappears. */
export interface Expiring {
  readonly contact: Uint8Array
  readonly message: Uint8Array
  readonly at: Millis
}

export interface Session extends SessionRef {
  readonly contact: Uint8Array
  /** How it started, encoded, for as long as nothing of theirs has come in it. Empty otherwise. */
  readonly start: Uint8Array
  readonly ratchet: ActiveRatchet
}

/** A text in the history, or a file. */
export interface StoredMessage {
  readonly id: Uint8Array
  readonly contact: Uint8Array
  readonly mine: boolean
  /** Of a file its name. */
  readonly text: string
  /** As shown: ordered, and never far in the future. */
  readonly time: Millis
  readonly counter: number
  /** The message before it, by the sender's own account, is not the one we have. */
  readonly forked: boolean
  /** The message that it answers. */
  readonly answers?: Uint8Array
  /** It disappears so many seconds after it was read. */
  readonly timer?: number
  /** It is a file; gone once it was withdrawn. */
  readonly file?: FileNote
  readonly edited?: boolean
  /** Its text is gone. */
  readonly withdrawn?: boolean
  /** Counter of the edit or withdrawal that counts. */
  readonly changedBy?: number
  readonly myReaction?: Reaction
  readonly theirReaction?: Reaction
}

/** Something on its way to a contact. */
export interface OutboxEntry {
  /** Order of sealing, unique. */
  readonly sequence: number
  readonly contact: Uint8Array
  readonly type: MessageType
  /** Of the message. */
  readonly message: Uint8Array
  readonly counter: number
  /** Without padding, to seal it anew should the session be lost. */
  readonly envelope: Uint8Array
  /** Empty until there is a session to seal it in. */
  readonly inner: Uint8Array
  /** Stamp of the session it is sealed in; 0 before. */
  readonly stamp: number
  /** Id in the mailbox: one for each `inner`. */
  readonly id: Uint8Array
  /** Secret of the ephemeral key of its box, should it go to a queue for anybody. */
  readonly ephemeral: Uint8Array
  /** No gateway may store it: it waits here until the contact is there. */
  readonly noStore?: boolean
}

export interface OwnQueue extends QueueRef {
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
  readonly seal: Uint8Array
  readonly box: Uint8Array
  /** uid of the contact it is for; empty for the queue on our card. */
  readonly contact: Uint8Array
  /** On our own node, where it is for who may come there. */
  readonly atNode?: boolean
  /** The gateway has it. */
  readonly made: boolean
  readonly created: Millis
  /** When it was replaced; 0 while in use. */
  readonly retired: Millis
  /** Replaced since a thief knows it: it is shut as soon as its contact writes elsewhere. */
  readonly leaked?: boolean
  /** When it was shut: nobody reads it any more, and it stays for the files that lie beside it. Missing: it is not. */
  readonly shut?: Millis
  /** The gateway was asked to tell nobody whether we read it: of those on our card. */
  readonly quiet?: boolean
  /** Of a queue on our card: number of the document under which its shelf was last filled; -1: the gateway has no shelves. */
  readonly shelf?: number
}

/** What is kept of ourselves. */
export interface Profile {
  readonly name: string
  /** Hash of the picture that we show; missing: none. */
  readonly avatar?: Uint8Array
  readonly rootSeed: Uint8Array
  readonly dhSecret: Uint8Array
  /** Our documents; missing in a profile from before there were any. */
  readonly chain?: Uint8Array
  /** Number of the next one-time key. */
  readonly oneTimeNext?: number
  readonly card: Uint8Array
  /** Hash of what the card was made from. */
  readonly cardBasis: Uint8Array
  /** Day from which on ids are remembered. */
  readonly seenSince: number
  /** Missing: visible. */
  readonly showing?: Showing
  /** Whether contacts may know what we have seen, where theirs allow it as well; missing: they may. */
  readonly readReceipts?: boolean
  /** Seconds between two rounds of asking who is there, while a chat is open; missing or 0: none. */
  readonly askEvery?: number
  /** Where the state was kept when it was last opened: elsewhere, it is a copy. Missing: nobody has looked. */
  readonly place?: Uint8Array
  /** When it was found to be a copy, lately. */
  readonly copied?: readonly Millis[]
}
