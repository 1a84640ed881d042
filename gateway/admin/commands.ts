/**
 * The operator's commands. Results go to `out`; `--json` gives one JSON value and nothing else. Errors are thrown as
 * SottoError and printed by the program.
 */
import { type Command, Option } from 'commander'
import { encodeQR } from 'qr'
import type { InviteInfo } from '../members-records.ts'
import { MemberLimits } from '../members-records.ts'
import { type InitOptions, initGateway } from './init.ts'
import { type CreatedInvite, createInvites, listInvites, revokeInvite } from './invites.ts'
import { collect, DEFAULT_STATE, wholeNumber } from './options.ts'

/** What the commands need from outside. */
export interface AdminSurroundings {
  readonly out: (text: string) => void
  readonly now: () => number
  /** Whether somebody looks at the output: links come with a QR code then. */
  readonly terminal: boolean
}

export const here: AdminSurroundings = {
  out: (text) => void process.stdout.write(text),
  now: () => Date.now(),
  terminal: process.stdout.isTTY === true,
}

const stateOption = (): Option => new Option('--state <folder>', 'the gateway’s state folder').default(DEFAULT_STATE)
const jsonOption = (): Option => new Option('--json', 'print one JSON value').default(false)

/** Adds `gateway init` and `invite create|list|revoke`. */
export function registerAdminCommands(program: Command, around: AdminSurroundings = here): void {
  const gateway = program.command('gateway').description('Set up and run a gateway.')
  registerInit(gateway, around)
  const invite = program.command('invite').description('Invite members, and end invites.')
  registerCreate(invite, around)
  registerList(invite, around)
  registerRevoke(invite, around)
}

interface Json {
  readonly json: boolean
}

function registerInit(gateway: Command, { out, now }: AdminSurroundings): void {
  gateway
    .command('init')
    .description('Make the state folder: configuration, keys, store. Run again, it completes what is missing.')
    .addOption(stateOption())
    .requiredOption('--domain <domain>', 'what visitors type')
    .option('--name <text>', 'shown to those you invite (default: the domain)')
    .option('--listen <where>', 'https://host:port, http://127.0.0.1:port or unix:path', 'https://0.0.0.0:443')
    .option('--certificate <file>', 'PEM, with its chain')
    .option('--key <file>', 'PEM, mode 0600')
    .option('--self-signed', 'make a certificate; invites carry its hash', false)
    .option('--port <number>', 'public port, where it differs', wholeNumber('--port', 1, 65_535))
    .option('--address <ip>', 'put into invites, so that no DNS is needed; may be repeated', collect, [])
    .option('--decoy <what>', 'folder, http://host:port of a web server, or @location (default: a sample site)')
    .option('--template <id...>', 'how traffic looks; invites start with the first', ['support-chat'])
    .addOption(jsonOption())
    .action(async (options: InitOptions & Json) => {
      const { folder, made, notes } = await initGateway(options, new Date(now()))
      if (options.json) return out(`${JSON.stringify({ folder, made, notes })}\n`)
      out(made.length === 0 ? `${folder} is complete.\n` : `${folder}: made ${made.join(', ')}.\n`)
      for (const note of notes) out(`${note}\n`)
      out(`Next: sotto gateway run --state ${options.state}\n`)
    })
}

interface CreateFlags extends Json {
  readonly state: string
  readonly name: string
  readonly count: number
  readonly uses: number
  readonly days: number
  readonly guest: boolean
  readonly qr?: boolean
}

function registerCreate(invite: Command, { out, now, terminal }: AdminSurroundings): void {
  const { cohortUses, inviteDays } = MemberLimits
  invite
    .command('create')
    .description('Make invite links. Those made together should go to people who know each other.')
    .addOption(stateOption())
    .option('--name <text>', 'for your own list', '')
    .option('--count <number>', 'links to make', wholeNumber('--count', 1, 1_000), 1)
    .option('--uses <number>', 'people one link is for', wholeNumber('--uses', 1, cohortUses), 1)
    .option('--days <number>', 'days until an unused link ends', wholeNumber('--days', 1, inviteDays), 7)
    .option('--guest', 'may write to members, and nothing else', false)
    .option('--qr', 'show QR codes also where nobody looks')
    .option('--no-qr', 'links only')
    .addOption(jsonOption())
    .action(async ({ json, qr, guest, ...options }: CreateFlags) => {
      const invites = await createInvites({ ...options, role: guest ? 'guest' : 'member' }, now())
      if (json) return out(`${JSON.stringify(invites.map(printable))}\n`)
      for (const one of invites) out(describe(one, qr ?? terminal))
    })
}

function registerList(invite: Command, { out, now }: AdminSurroundings): void {
  invite
    .command('list')
    .description('Show all invites and what became of them.')
    .addOption(stateOption())
    .addOption(jsonOption())
    .action(async ({ state, json }: Json & { readonly state: string }) => {
      const invites = await listInvites(state, now())
      if (json) out(`${JSON.stringify(invites.map(printable))}\n`)
      else out(invites.length === 0 ? 'No invites yet: sotto invite create\n' : invites.map(row).join(''))
    })
}

function registerRevoke(invite: Command, { out }: AdminSurroundings): void {
  invite
    .command('revoke')
    .argument('<id>', 'as `sotto invite list` shows it')
    .description('End an invite and the members who came by it, at once and for good.')
    .addOption(stateOption())
    .addOption(jsonOption())
    .action(async (id: string, { state, json }: Json & { readonly state: string }) => {
      const ended = await revokeInvite(state, id)
      if (json) out(`${JSON.stringify({ id, ended })}\n`)
      else out(`Revoked. Members it ended: ${ended}.\n`)
    })
}

const isoTime = (at: number): string => new Date(at).toISOString()

function printable<T extends InviteInfo>(
  invite: T,
): Omit<T, 'created' | 'expires'> & { created: string; expires: string } {
  return { ...invite, created: isoTime(invite.created), expires: isoTime(invite.expires) }
}

function describe({ link, id, uses, role, expires }: CreatedInvite, qr: boolean): string {
  const people = uses === 1 ? 'one person' : `${uses} people`
  const code = qr ? `\n${encodeQR(link, 'ascii', { ecc: 'low' })}` : ''
  const until = isoTime(expires).slice(0, 10)
  return `${link}\n  ${id}: ${people}, ${role}, until ${until}. A secret: send it by a way you trust.\n${code}\n`
}

function row({ id, state, used, uses, role, expires, name }: InviteInfo): string {
  return `${id}  ${state.padEnd(7)}  ${used}/${uses}  ${role.padEnd(6)}  ${isoTime(expires).slice(0, 10)}  ${name}\n`
}
