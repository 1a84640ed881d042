/**
 * One error class for everything our own users and callers can meet. Match on `code`; the text may change.
 * Strangers on the network never see any of this: they get the decoy.
 */

/** Every code: who has to act, and what the person can do next. Kept equal to docs/errors.md by a test. */
export const errorCodes = {
  E_INTERNAL: 'A bug in Sotto. Report it with the code and what you did.',
  E_USAGE: 'Run the command with --help.',
  E_CONFIG: 'Correct the named field of the configuration file.',
  E_TEMPLATE: 'Correct the template at the named line, then load it again.',
  E_HAR: 'Export the recording again from the browser’s developer tools, as HAR with content.',
  E_LEARN: 'Record a longer visit that uses everything the site can do, or write a template by hand.',
  E_STATE_UNREADABLE: 'Check the owner and mode of the state folder, or restore it from a copy.',
  E_STATE_COPIED:
    'Compare with your contacts what is missing. If you put no copy back, each start is one on this file system (network, overlay, image): keep the folder on an ordinary disk, with --state.',
  E_STATE_BUSY: 'Another Sotto process uses this state folder: close it, or name another with --state.',
  E_PASSWORD_NEEDED: 'Start Sotto at a terminal, or name a file with the password: --password-file.',
  E_PASSWORD_WRONG:
    'Try again. Who has lost it restores the identity from its backup in a new folder; messages are lost.',
  E_PASSWORD_WEAK: 'Choose another; several words are easy to remember.',
  E_PASSWORD_DIFFERS: 'Try again.',
  E_DISK_FULL: 'Free some space and try again.',
  E_CONTACT_UNKNOWN: 'See who there is: sotto contacts',
  E_SECRET_IN_ARGV: 'Run the command without it, and give it when asked, or on standard input.',
  E_NOT_JOINED: 'Join with an invite first: sotto join',
  E_PERSON_ID: 'Ask for the whole id: sotto friend id shows it.',
  E_PERSON_UNKNOWN: 'Ask them whether they can be found (sotto friend id), or for their card.',
  E_PERSON_ASKS: 'Answer it: sotto friend add asks you, once the person is found.',
  E_ANSWER_WRONG: 'Ask them what they mean, or for another word. Case and spaces do not matter.',
  E_ANSWER_WEAK: 'Ask more than one question, or one with an answer of three or more words that few people know.',
  E_TRACKER_NONE: 'Exchange cards instead (sotto card), or ask the operator of your gateway to name a tracker.',
  E_TRACKER_UNREACHABLE: 'Try again later, or exchange cards instead: sotto card',
  E_TRACKER_BUSY: 'Try again later: there is no harm in it.',
  E_NO_GATEWAY: 'Ask your contact for an invite to that gateway, and join it.',
  E_NOT_RECOGNISED:
    'Ask the person who invited you whether the invite is still valid, then try again or join with a new one.',
  E_PATH_BUSY: 'Nothing to do: Sotto tries again by itself.',
  E_NET_PORTAL: 'This network wants a login: open any website in a browser, log in there; Sotto goes on by itself.',
  E_NET_METHOD:
    'Nothing to do: this network refuses to let anything be sent to a website. Sotto only asks, and gets through.',
  E_NET_SIZE: 'Nothing to do: this network lets only small requests or answers through. Sotto sends smaller ones.',
  E_NET_IDLE: 'Nothing to do: this network cuts connections that wait. Sotto asks more often.',
  E_NET_SOCKET:
    'Nothing to do: this network lets no WebSocket through, or the site has none. Sotto asks in the usual way.',
  E_NET_FROZEN:
    'Nothing to do: connections stop without a word in this network. Sotto opens new ones; another network is quicker.',
  E_NET_THROTTLED:
    'Nothing to do: this network lets little through at a time. Messages go first; another network is quicker.',
  E_NET_NAME:
    'This network cuts whatever names the website: Sotto tries other ways by itself; a proxy or Tor (sotto proxy set), another gateway or another network may get through.',
  E_NET_MOVED: 'Nothing to do: this computer is on another network now. Sotto goes on there.',
  E_NET_SLEPT: 'Nothing to do: this computer has slept. Sotto goes on with new connections.',
  E_NET_CLOCK: "Set this computer's clock: it is off by minutes or more. Sotto goes by the website's clock meanwhile.",
  E_REVOKED: 'Ask the operator of the gateway for a new invite.',
  E_TUNNEL_STOPPED: 'Start Sotto again.',
  E_TUNNEL_TIMEOUT: 'Check the network; Sotto goes on trying by itself, and unsent messages stay in the outbox.',
  E_PATH_DNS: 'The name was not found: check the network, or ask for an invite that names addresses.',
  E_PATH_REFUSED: 'Nothing answers there, or the network forbids it: try another network or another gateway.',
  E_PATH_RESET: 'The connection was cut. Sotto tries again by itself; if it goes on, try another network or gateway.',
  E_PATH_HELLO:
    'The connection was cut as soon as it named the website. Sotto tries again by itself; if it goes on, the network blocks that name: try another gateway, a proxy or Tor.',
  E_PATH_TIMEOUT: 'No answer in time. Sotto tries again by itself; if it goes on, try another network or gateway.',
  E_PATH_TLS: 'Somebody on the path shows a wrong certificate: try another network, and tell the operator.',
  E_PATH_ANSWER: 'Something on the path answered with what is no usable HTTP: try another network or gateway.',
  E_PATH_CLOSED: 'Nothing to do: the exchange was given up on this side.',
  E_BROWSER_MISSING: 'Install Chromium or Chrome, or name the one that there is: --browser FILE',
  E_BROWSER_FAILED: 'Update Chromium or Chrome, or go on without --browser.',
  E_PROXY_UNREACHABLE: 'Check that the proxy runs and that its address is right: sotto proxy show',
  E_PROXY_AUTH: 'Give the name and password that the proxy wants: sotto proxy set',
  E_PROXY_REFUSED: 'Ask who runs the proxy what it lets through, or go another way: sotto proxy set, sotto proxy clear',
  E_FIREWALL_REFUSED: 'The firewall lets through only what your invites name: open an invite for it first.',
  E_FIREWALL_CUT:
    'Wait, or look at sotto firewall explain; where you know that all is well, sotto firewall allow lifts it at once.',
  E_CONFINE:
    'Allow user namespaces on this machine, or start Sotto without --confine: docs/firewall.md says what is needed.',
  E_DIALER_UNFIT:
    'Nothing to do: Sotto uses looks that go with this machine. To have this one too, update Sotto and its Node.',
  E_FIREWALL_GONE: 'Start Sotto again.',
  E_FIREWALL_BROKEN: 'Install Sotto anew: its two halves do not understand each other.',
  E_INVITE_FORMAT: 'Copy the whole link again, or scan the code again; if it goes on, ask for a new invite.',
  E_INVITE_EXPIRED: 'Ask for a new invite, or check the clock of this machine.',
  E_INVITE_VERSION: 'Update Sotto, then open the invite again.',
  E_CARD_FORMAT: 'Ask for the card again, and copy it whole.',
  E_CARD_VERSION: 'Update Sotto, or ask the other person to.',
  E_CHAT_VERSION: 'Update the older one of the two, as the message says.',
  E_CARD_SIGNATURE: 'Ask for the card again, over another way; do not use this one.',
  E_CARD_EXPIRED: 'Ask for a fresh card.',
  E_CARD_LOCKED: 'Give the password that whoever made the card has told you, and the whole card.',
  E_CARD_CODE: 'Give the line instead: sotto card, or sotto card --file with a name that does not end in .png.',
  E_CARD_OWN: 'Give this card to others; add theirs.',
  E_CARD_CHANGED:
    'Compare the 60 digits over another way. If the new card is genuine, remove the contact and add it again.',
  E_PREKEYS_NONE:
    'Nothing to do: Sotto asks again. If it goes on, ask your contact for a fresh card, or tell the operator of their gateway.',
  E_PREKEYS_FALSE:
    'Their gateway may be trying to read along, and was not let. Tell your contact over another way; Sotto asks again by itself.',
  E_PREKEYS_STALE:
    'Nothing to do: Sotto asks again. If it goes on, your contact has been away for a month, or their gateway shows old keys.',
  E_CONTACT_ADDRESS:
    'Give host:port of a gateway that you have an invite for, or none to go back to what the card says.',
  E_CHAT_NAME: 'Choose a name of 1 to 64 octets without control characters.',
  E_CHAT_CONTACT: 'Look at the list of contacts for the right one.',
  E_CHAT_BLOCKED: 'Accept the contact first.',
  E_CHAT_TEXT: 'Shorten the text, or send it in parts.',
  E_CHAT_MESSAGE: 'Look at the history for the right one.',
  E_CHAT_CHANGE: 'Write another message.',
  E_CHAT_OUTBOX_FULL: 'Wait until the contact has received some of the earlier messages.',
  E_CHAT_NO_GATEWAY: 'Open an invite of a gateway first.',
  E_CHAT_CONNECTION:
    'Serious connection error: nothing to do at once, Sotto tries again within the hour. Compare the 60 digits if it goes on.',
  E_CHAT_REQUESTS_FULL: 'Accept or block some of the waiting requests.',
  E_PROOF_SECRET: 'Choose another: longer, or shorter, as the text says.',
  E_PROOF_LIMIT: 'Wait a day, or compare the 60 digits over another way. Somebody may be guessing, or in between.',
  E_PROOF_NONE: 'Begin it yourself, or wait until they ask.',
  E_PROOF_WITHDRAWN: 'Choose another one and tell it by a way you trust: sotto friend password, sotto friend question',
  E_IDENTITY_EXISTS: 'Name another folder with --state, or move this one away if you are sure.',
  E_IDENTITY_UPDATE: 'Make a new identity in another folder, and give your contacts its card.',
  E_IDENTITY_BACKED_UP: 'Use the backup you have. Without it, the identity lives on this device alone.',
  E_BACKUP_FORMAT: 'Compare with the paper or the file, and give it again.',
  E_BACKUP_VERSION: 'Update Sotto, then read the backup again.',
  E_BACKUP_PARTS: 'Give parts of the same backup: all three, or any two where it says 2OF3.',
  E_BACKUP_LOCKED: 'Try again with the password, and the dongle, that it was made with.',
  E_BACKUP_DONGLE: 'Name the file that sotto identity dongle has made.',
  E_FIDO_TOOLS: 'Install fido2-tools (Debian: apt install fido2-tools), or use a dongle that is a file.',
  E_FIDO_NONE: 'Plug the security key in, and see with fido2-token -L whether the system shows it to you.',
  E_FIDO_SEVERAL: 'Leave one plugged in, or name it: --device PATH',
  E_FIDO_OTHER: 'Plug in the security key that the file was made with.',
  E_FIDO_PIN: 'Try again. After eight wrong ones a security key locks itself.',
  E_FIDO_BLOCKED: 'Unplug it, plug it in again, and try once more. If it stays so, it is locked for good.',
  E_FIDO_UNFIT: 'Use another security key, or a dongle that is a file.',
  E_FIDO_TOUCH: 'Try again, and touch the security key when it blinks.',
  E_FIDO_FAILED: 'Unplug the security key, plug it in again, and try once more.',
  E_BACKUP_PASSWORD: 'Choose a longer password, or use a dongle.',
  E_BACKUP_OTHER: 'Look for the backup of this identity, or make a new one: sotto identity backup',
  E_FILE: 'Look at the path and who may read or write there.',
  E_FILE_SIZE: 'Send it in parts.',
  E_FILE_METADATA: 'Save the picture anew with another program; or send it as it is: --keep-metadata',
  E_FILE_UNKNOWN: 'Look at the list: sotto files',
  E_FILE_UNFINISHED: 'Let it come first: sotto files finish',
  E_FILE_FOLDER: 'Start with a folder for files: sotto chat --files FOLDER',
  E_FILE_ROOM:
    'Nothing to do: Sotto tries again by itself. If it goes on, ask your contact to fetch the files that wait for them.',
  E_FILE_UNSUPPORTED: 'Ask the operator of their gateway to update it, and to let it keep mail.',
  E_FILE_GONE: 'Ask your contact to send it again.',
  E_FILE_DAMAGED: 'Try again; if it goes on, ask your contact to send it again.',
  E_AVATAR: 'Choose another picture, or save it anew as PNG or JPEG with another program.',
  E_AVATAR_NONE: 'Look what is known: sotto profile show NAME. To ask for the picture: sotto profile fetch NAME',
  E_MAILBOX_FULL: 'Nothing to do: Sotto tries again by itself. If it goes on, tell your contact and the operator.',
  E_PACK_FORMAT: 'Take the pack anew from where it was made: sotto templates pack',
  E_PACK_SIGNATURE:
    'Do not use this pack. If it is yours, make it anew under this gateway’s root key: sotto templates pack',
  E_PACK_EXPIRED: 'Make a new pack: sotto templates pack. If the date looks wrong, check the clock of this machine.',
  E_PACK_FLOOR: 'Make a new pack with the same templates: sotto templates pack',
  E_PACK_UNKNOWN: 'Look which packs there are: sotto templates status',
  E_PACK_KEY: 'Vouch for the signing key of this gateway with the root key: sotto templates delegate',
  E_PACK_BUSY: 'Wait until the canary is over (sotto templates status), or end it: sotto templates rollback',
  E_CERTIFICATE:
    'Let the domain point to this machine and open port 80 to the world; Sotto tries again by itself, and at once when restarted.',
  E_PORT_TAKEN: 'Stop the program that listens there, or choose another port.',
} as const

export type ErrorCode = keyof typeof errorCodes

export interface ErrorDetails {
  /** What was kept, so that the person knows nothing is lost. */
  readonly kept?: string
  /** Overrides the code's own advice. */
  readonly next?: string
  readonly cause?: unknown
}

export class SottoError extends Error {
  readonly code: ErrorCode
  readonly kept: string | undefined
  readonly next: string

  /** `what` says what happened, in words a person understands, with no secret in it. */
  constructor(code: ErrorCode, what: string, details: ErrorDetails = {}) {
    super(what, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'SottoError'
    this.code = code
    this.kept = details.kept
    this.next = details.next ?? errorCodes[code]
  }
}

export function isSottoError(error: unknown, code?: ErrorCode): error is SottoError {
  return error instanceof SottoError && (code === undefined || error.code === code)
}
