/** What can be typed in a chat: the list of commands, and how a line goes on that begins with one. */
import type { ContactView } from '#client/chat/events.ts'
import { AVATAR_HELP } from './chat-avatar.ts'
import { nameOf } from './contact-names.ts'
import { PROOF_HELP } from './proof-view.ts'

const HELP: readonly (readonly [string, string])[] = [
  ['/to NAME', 'talk to somebody'],
  ['/contacts', 'who there is, and what is unread'],
  ['/add LINK', 'add the person whose card link this is'],
  ['/card', 'show your own card, to give away'],
  ['/accept, /block', 'answer a request of the person you are talking to'],
  ['/reply [N] TEXT', 'answer their last message, or the one N before it'],
  ['/edit TEXT', 'replace the text of your last message'],
  ['/withdraw', 'take your last message back'],
  ['/react SYMBOL', 'a symbol to their last message; without one, take it back'],
  ['/vanish 1h', 'what is said from now on disappears so long after reading; off: it stays'],
  ['/direct TEXT', 'say something that no gateway keeps: it waits here until they are there'],
  ['/send FILE', 'send a file of the folder that sotto chat --files FOLDER names'],
  ['/files', 'files of this conversation, and how far they are'],
  ['/save [ID]', 'fetch their last file, or the one that /files shows so, into that folder'],
  ['/cancel [ID]', 'stop the last file, or that one, and keep nothing of it'],
  ...AVATAR_HELP,
  ['/presence', 'ask whether they are there; /presence all asks everybody'],
  ['/invisible, /visible', 'who sees that you are there: nobody but those you have chosen, or your contacts'],
  ['/receipts on', 'whether your contacts hear what you have read; off: nobody does'],
  ...PROOF_HELP,
  ['/verify', 'show the 60 digits to compare; /verify yes once they are equal'],
  ['/history [N]', 'show earlier messages'],
  ['/status', 'how you are connected'],
  ['/look [NAME]', 'what your traffic looks like from now on'],
  ['/quit', 'end; so does Ctrl-D'],
]

/** A line for each command. `dim`: the manner of what explains it. */
export function helpLines(dim: (text: string) => string): string[] {
  const width = Math.max(...HELP.map(([usage]) => usage.length))
  return HELP.map(([usage, what]) => `  ${usage.padEnd(width)}  ${dim(what)}`)
}

/** Whole lines that this one may become: a command, or /to with a name. */
export function completions(line: string, contacts: () => readonly ContactView[]): string[] {
  if (line.startsWith('/to ')) {
    return contacts()
      .map((contact) => `/to ${nameOf(contact)}`)
      .filter((text) => text.startsWith(line))
  }
  if (!line.startsWith('/')) return []
  return HELP.flatMap(([usage]) => usage.split(', '))
    .map((usage) => usage.split(' ')[0]!)
    .filter((text) => text.startsWith(line))
}
