/**
 * The operator's commands. Results go to `out`; `--json` gives one JSON value and nothing else. Errors are thrown as
 * SottoError and printed by the program.
 */
import { createInterface } from 'node:readline/promises'
import { type Command, Option } from 'commander'
import { encodeQR } from 'qr'
import { SottoError } from '#protocol/errors.ts'
import type { InviteInfo } from '../members-records.ts'
import { MemberLimits } from '../members-records.ts'
import { registerAnnounce } from './announce.ts'
import { registerDoctor } from './doctor-command.ts'
import { type InitOptions, initGateway } from './init.ts'
import { type CreatedInvite, createInvites, listInvites, revokeInvite } from './invites.ts'
import { collect, jsonOption, stateOption, wholeNumber } from './options.ts'
import { registerStatus } from './status.ts'
import { planUninstall, uninstall } from './uninstall.ts'

/** What the commands need from outside. */
export interface AdminSurroundings {
  readonly out: (text: string) => void
  readonly now: () => number
  /** Whether somebody looks at the output: links come with a QR code then. */
  readonly terminal: boolean
  /** Asks whether to go on; never where nobody can answer. */
  readonly confirm: (what: string) => Promise<boolean>
  /** Exit status of a command that went well and has bad news. */
  readonly status: (code: number) => void
}

export const here: AdminSurroundings = {
  out: (text) => void process.stdout.write(text),
  now: () => Date.now(),
  terminal: process.stdout.isTTY === true,
  confirm: askOnTerminal,
  status: (code) => {
    process.exitCode = code
  },
}

async function askOnTerminal(what: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) return false
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^yes$/i.test((await lines.question(`${what}Go on? Type yes: `)).trim())
  } finally {
    lines.close()
  }
}

/** Adds `gateway init|uninstall|status|doctor|announce` and `invite create|list|revoke`. */
export function registerAdminCommands(program: Command, around: AdminSurroundings = here): void {
  const gateway = program.command('gateway').description('Set up and run a gateway.')
  registerInit(gateway, around, 'gateway')
  registerUninstall(gateway, around)
  registerStatus(gateway, around)
  registerDoctor(gateway, around)
  registerAnnounce(gateway, around)
  const invite = program.command('invite').description('Invite members, and end invites.')
  registerCreate(invite, around)
  registerList(invite, around)
  registerRevoke(invite, around)
}

interface Json {
  readonly json: boolean
}

/** For a gateway, or for one that is one person's own. */
export function registerInit(group: Command, { out, now }: AdminSurroundings, what: 'gateway' | 'node'): void {
  group
    .command('init')
    .description('Make the state folder: configuration, keys, store. Run again, it completes what is missing.')
    .addOption(stateOption(what))
    .option('--domain <domain>', 'what visitors type; without it, what is configured is put in place again')
    .option('--name <text>', 'shown to those you invite (default: the domain)')
    .addOption(new Option('--front <server>', 'write system files for it').choices(['nginx', 'caddy', 'none']))
    .option('--site <folder>', 'your website; a sample is put there where it is empty')
    .option('--upstream <origin>', 'your website, where an application answers: http://host:port')
    .option('--listen <where>', 'https://host:port, http://127.0.0.1:port or unix:path (default: what --front needs)')
    .option('--certificate <file>', 'PEM, with its chain; of the server in front, where that is not https')
    .option('--key <file>', 'PEM, mode 0600')
    .option('--self-signed', 'make a certificate; invites carry its hash', false)
    .option('--acme', 'stand-alone: get and renew the certificate (RFC 8555); port 80 must be reachable', false)
    .option('--email <address>', 'with --acme: where the authority may write to')
    .option('--acme-directory <url>', 'with --acme: another authority than Let’s Encrypt')
    .option('--port <number>', 'public port, where it differs', wholeNumber('--port', 1, 65_535))
    .option('--address <ip>', 'put into invites, so that no DNS is needed; may be repeated', collect, [])
    .option('--decoy <what>', 'for a front set up by hand: folder, http://host:port, or @location')
    .option('--template <id...>', 'how traffic looks; invites start with the first (default: support-chat)')
    .option('--etc <folder>', 'where system files go (default: deploy/ in the state folder)')
    .addOption(new Option('--no-steps', 'do not say what is left to do').hideHelp())
    .option('--force', 'write over files of ours that differ or were changed by hand', false)
    .addOption(jsonOption())
    .action(async (options: InitOptions & Json) => {
      const { folder, made, files, notes } = await initGateway({ ...options, node: what === 'node' }, new Date(now()))
      if (options.json) return out(`${JSON.stringify({ folder, made, files, notes })}\n`)
      out(made.length === 0 ? `${folder} is complete.\n` : `${folder}: made ${made.join(', ')}.\n`)
      for (const { path, fate } of files) if (fate !== 'same') out(`${path}: ${fate}\n`)
      for (const note of notes) out(`${note}\n`)
      if (options.steps !== false) out(`Next: sotto ${what} run --state ${options.state}\n`)
    })
}

function registerUninstall(gateway: Command, { out, confirm }: AdminSurroundings): void {
  gateway
    .command('uninstall')
    .description('Remove what init has made: system files, keys, members and their waiting mail.')
    .addOption(stateOption())
    .option('--yes', 'do not ask', false)
    .addOption(jsonOption())
    .action(async ({ state, yes, json }: Json & { readonly state: string; readonly yes: boolean }) => {
      const plan = await planUninstall(state)
      const { folder, files, edited } = plan
      const listing = [
        `${folder}: keys, members and their waiting mail, for good. Nobody can come back by an invite of this gateway.`,
        ...files.map((path) => `${path}${edited.includes(path) ? ' (changed by hand)' : ''}`),
      ]
      if (!yes && !(await confirm(`This removes\n  ${listing.join('\n  ')}\n`))) {
        throw new SottoError('E_USAGE', 'nothing was removed', { next: 'Say that you mean it: --yes' })
      }
      const left = await uninstall(plan)
      if (json) return out(`${JSON.stringify({ folder, removed: files, left })}\n`)
      out(`Removed.${left.length === 0 ? '' : ` Not from here, and left alone: ${left.join(', ')}`}\n`)
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
