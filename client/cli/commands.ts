/**
 * The member's commands: noun, verb, few options. Results on stdout, everything else on stderr. Only what the typed command
 * needs is loaded: every start would wait for the rest.
 */
import { type Command, Option } from 'commander'
import type { Clockwork } from '#client/clockwork.ts'
import type { Broker } from '#firewall/permit.ts'
import { endWithReader } from './report.ts'

/** What the commands run on. */
export interface Ground {
  readonly broker: Broker
  readonly clockwork: Clockwork
  readonly folder: string
  readonly streams: {
    readonly stdin: NodeJS.ReadStream
    readonly stdout: NodeJS.WriteStream
    readonly stderr: NodeJS.WriteStream
  }
}

/** Makes a command of the program, or of one below it, with the options that all have. */
export type AddCommand = (name: string, what: string, below?: Command, isDefault?: boolean) => Command

/** Adds commands to the program. */
type Register = (program: Command, add: AddCommand, ground: Ground) => void

interface Family {
  /** What may be typed first. */
  readonly names: readonly string[]
  readonly load: () => Promise<Register>
}

const family = (names: string, load: Family['load']): Family => ({ names: names.split(' '), load })
/** Of those that have nothing below them. */
const plain =
  (register: (add: AddCommand, ground: Ground) => void): Register =>
  (_, add, ground) =>
    register(add, ground)

/** In the order in which help shows them. */
const families: readonly Family[] = [
  family('join', async () => plain((await import('./join.ts')).registerJoin)),
  family('card', async () => plain((await import('./card.ts')).registerCard)),
  family('contacts', async () => plain((await import('./contacts.ts')).registerContacts)),
  family('friend', async () => (await import('./friend.ts')).registerFriend),
  family('peer', async () => (await import('./peer.ts')).registerPeer),
  family('presence receipts', async () => (await import('./presence.ts')).registerPresence),
  family('identity', async () => (await import('./identity.ts')).registerIdentity),
  family('profile', async () => (await import('./profile.ts')).registerProfile),
  family('proxy front', async () => (await import('./ways-view.ts')).registerWays),
  family('password', async () => (await import('./password.ts')).registerPassword),
  family('files', async () => (await import('./files.ts')).registerFiles),
  family('doctor', async () => plain((await import('./doctor-view.ts')).registerDoctor)),
  family('send', async () => plain((await import('./send.ts')).registerSend)),
  family('recv', async () => plain((await import('./recv.ts')).registerRecv)),
  family('history', async () => plain((await import('./history.ts')).registerHistory)),
  family('chat', async () => plain((await import('./chat.ts')).registerChat)),
  family('status', async () => plain((await import('./status.ts')).registerStatus)),
]

/** @param typed the first argument: where it is no command, all are registered, for help and for what is said of a mistake */
export async function registerCommands(program: Command, ground: Ground, typed: string | undefined): Promise<void> {
  endWithReader(ground.streams.stdout, ground.streams.stderr, () => process.exit())
  const add: AddCommand = (name, what, below = program, isDefault = false) =>
    below
      .command(name, { isDefault })
      .description(what)
      .addOption(new Option('--state <folder>', 'where everything is kept'))
      .addOption(new Option('--password-file <file>', 'its first line is the password of that folder'))
      .addOption(new Option('--json', 'results and errors as lines of JSON'))
      .addOption(new Option('--look <template>', 'what the traffic looks like'))
      .addOption(new Option('--ipv6-only', 'dial no address of IPv4'))
      .addOption(
        new Option(
          '--http2',
          'speak HTTP/2 where the site does, in looks of Node: some inspectors take it for a tunnel',
        ),
      )
      .addOption(new Option('--browser <program>', 'go through an installed browser, such as chromium'))
  const meant = families.filter(({ names }) => names.some((name) => name === typed))
  const registers = await Promise.all((meant.length > 0 ? meant : families).map(({ load }) => load()))
  for (const register of registers) register(program, add, ground)
}
