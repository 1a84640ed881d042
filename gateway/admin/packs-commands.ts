/** `sotto templates delegate|pack|rotate|status|rollback|history`: packs of templates, made and rotated while people chat. */
import { type Command, Option } from 'commander'
import { SottoError } from '#protocol/errors.ts'
import { PackLimits } from '#protocol/pack.ts'
import type { AdminSurroundings } from './commands.ts'
import { stateOption, wholeNumber } from './options.ts'
import type { DelegateOptions, HistoryLine, PackInfo, PackOptions, PackStatus, RotateChoice } from './packs.ts'
import { delegate, makePack, packHistory, packStatus, rollBackPack, rotatePack } from './packs.ts'

interface Flags {
  readonly state: string
  readonly json: boolean
}

/** Adds the commands to the group `templates`. */
export function registerPackCommands(templates: Command, { out, now }: AdminSurroundings): void {
  const add = (name: string, what: string): Command =>
    templates
      .command(name)
      .description(what)
      .addOption(stateOption())
      .addOption(new Option('--json', 'print one JSON value').default(false))
  const print = (json: boolean, value: unknown, text: string): void => out(json ? `${JSON.stringify(value)}\n` : text)
  registerDelegate(add, print, now)
  registerPack(add, print, now)
  registerRotate(add, print, now)
  add('status', 'Show which pack members use, which is tried, and which are still accepted.').action(
    async ({ state, json }: Flags) => {
      const status = await packStatus(state)
      print(json, status, describe(status, now()))
    },
  )
  add('rollback', 'End a canary; or go back to the pack before, or to the one named.')
    .argument('[pack]', 'serial, or the beginning of its hash')
    .action(async (pack: string | undefined, { state, json }: Flags) => {
      const status = await rollBackPack(state, pack, now())
      print(json, status, describe(status, now()))
    })
  add('history', 'Show every rotation there was, oldest first.').action(async ({ state, json }: Flags) => {
    const lines = await packHistory(state)
    print(json, lines, lines.length === 0 ? 'No packs yet: sotto templates pack\n' : lines.map(lineOf).join(''))
  })
}

type Add = (name: string, what: string) => Command
type Print = (json: boolean, value: unknown, text: string) => void

const maxDays = Math.floor(PackLimits.validSeconds / 86_400)

function registerDelegate(add: Add, print: Print, now: () => number): void {
  add('delegate', 'Let the signing key of this gateway sign packs for a while, by the word of the root key.')
    .option('--days <number>', 'how long', wholeNumber('--days', 1, maxDays), 90)
    .option('--root-key <file>', 'the root key (default: pack-root.key of the state folder)')
    .option('--key <line>', 'on the machine with the root key: the public half to vouch for; prints a certificate')
    .option('--certificate <line or file>', 'install a certificate that was made there')
    .action(async ({ json, ...options }: Flags & DelegateOptions) => {
      const done = await delegate(options, now())
      if (done.kind === 'installed') return print(json, done, `Packs can be signed here until ${day(done.until)}.\n`)
      print(json, done, done.line)
    })
}

function registerPack(add: Add, print: Print, now: () => number): void {
  const [least, most] = PackLimits.ttlSeconds
  add('pack', 'Make and sign a pack, and keep it for `rotate`.')
    .argument('[template...]', 'built-in templates, files or folders, best first (default: those of gateway.yaml)')
    .option('--days <number>', 'how long it is valid', wholeNumber('--days', 1, maxDays), 30)
    .option(
      '--ttl <time>',
      'after which members ask anew, like 90s, 15m, 6h, 2d',
      duration('--ttl', least, most),
      3_600,
    )
    .option(
      '--overlap <time>',
      'for which it is still accepted after the next one',
      duration('--overlap', 0, PackLimits.overlapSeconds),
      172_800,
    )
    .option('--canary <percent>', 'members who try it first', wholeNumber('--canary', 1, 100), 10)
    .option('--floor <serial>', 'none older is used again once it is promoted', wholeNumber('--floor', 0, 999_999_999))
    .option('--serial <number>', 'its number (default: the next one)', wholeNumber('--serial', 1, 999_999_999))
    .option('--out <file>', 'write it to a file as well')
    .action(async (templates: string[], { json, ...options }: Flags & Omit<PackOptions, 'templates'>) => {
      const pack = await makePack({ ...options, templates }, now())
      print(json, pack, `${row(pack)}Next: sotto templates rotate --state ${options.state}\n`)
    })
}

function registerRotate(add: Add, print: Print, now: () => number): void {
  add('rotate', 'Begin to use a pack: some members try it, then all use it; or nobody, if it fails.')
    .argument('[pack]', 'serial, or the beginning of its hash (default: the newest)')
    .option('--file <file>', 'a pack that was made elsewhere')
    .option('--now', 'everybody at once, without a canary', false)
    .option('--watch <time>', 'how long canaries try it', duration('--watch', 1, 2_592_000), 900)
    .action(async (pack: string | undefined, options: Flags & { file?: string; now: boolean; watch: number }) => {
      if (pack !== undefined && options.file !== undefined) {
        throw new SottoError('E_USAGE', 'Name a pack or a file, not both.')
      }
      const { state, json, file, watch: watchSeconds } = options
      const choice: RotateChoice = { state, pack, file, now: options.now, watchSeconds }
      const status = await rotatePack(choice, now())
      print(json, status, describe(status, now()))
    })
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** Seconds of `90s`, `15m`, `6h` or `2d`. @throws SottoError E_USAGE */
function duration(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const match = /^([0-9]{1,9})([smhd])$/.exec(text)
    const seconds = match === null ? Number.NaN : Number(match[1]) * units[match[2]!]!
    if (seconds >= least && seconds <= most) return seconds
    throw new SottoError(
      'E_USAGE',
      `${option} takes a time like 90s, 15m, 6h or 2d, of ${least} s to ${most} s, not ${JSON.stringify(text)}`,
    )
  }
}

const day = (text: string): string => text.slice(0, 10)
const second = (text: string): string => text.slice(0, 19).replace('T', ' ')

function row({ serial, hash, verdict, templates, until, applied, failed }: PackInfo): string {
  const said = applied + failed === 0 ? '' : `  ${applied} use it, ${failed} cannot`
  return `${String(serial).padStart(4)}  ${hash.slice(0, 12)}  ${verdict.padEnd(9)}  until ${day(until)}  ${templates.join(' ')}${said}\n`
}

/** Nobody may have been there to try it: then it waits, however long that takes. */
function canaryState({ over, applied, failed }: NonNullable<PackStatus['canary']>, now: number): string {
  const waits = Date.parse(over) <= now && applied + failed === 0
  return waits ? '; none has said yet whether it works, so it waits' : ` until ${second(over)}`
}

function describe(status: PackStatus, now: number): string {
  const { floor, current, canary, retiring, others, certificate } = status
  return [
    'In use:\n',
    current === null ? '      the templates of gateway.yaml\n' : row(current),
    ...(canary === null
      ? []
      : [`Tried by ${canary.canary}% of the members${canaryState(canary, now)}:\n`, row(canary)]),
    ...(retiring.length === 0 ? [] : ['Still accepted:\n', ...retiring.map(row)]),
    ...(others.length === 0 ? [] : ['Not in use:\n', ...others.map(row)]),
    `Floor: ${floor}. `,
    certificate === null
      ? 'No signing key: sotto templates delegate\n'
      : `Packs can be signed until ${day(certificate)}.\n`,
  ].join('')
}

function lineOf({ at, event, serial, hash, by, note }: HistoryLine): string {
  return `${second(at)}  ${event.padEnd(11)}  ${String(serial).padStart(4)}  ${hash.slice(0, 12)}  ${by.padEnd(8)}  ${note}\n`
}
