/** `sotto tracker ...`: a tracker of one's own, alone or in a gateway's folder; and which trackers a gateway's members ask. */
import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { hex } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { ListedTracker } from '#protocol/tracker/tracker-list.ts'
import { parseTrackerLine, sealTrackerList, TrackerListLimits, trackerLine } from '#protocol/tracker/tracker-list.ts'
import { RecordStore } from '../services/tracker/record-store.ts'
import { TRACKER_LIST_FILE } from '../services/tracker/relay.ts'
import { listedTracker, runTracker } from '../services/tracker/running.ts'
import { initTracker, RECORDS_FILE, TRACKER_FOLDER } from '../services/tracker/state.ts'
import { rootKind } from '../state.ts'
import { readSecretFile } from '../store/secret-file.ts'
import type { AdminSurroundings } from './commands.ts'
import { jsonOption, stateOption, wholeNumber } from './options.ts'

const DAY_SECONDS = 86_400
/** Clocks of members differ: what begins now began a while ago. */
const CLOCK_SECONDS = 3_600

interface Flags {
  readonly state: string
  readonly json: boolean
}

interface InitFlags extends Flags {
  readonly listen?: string
  readonly address?: string
  readonly gigabytes?: number
  readonly gateway?: string
}

interface ListFlags extends Flags {
  readonly rootKey?: string
  readonly days: number
}

const trackerState = (): Option => new Option('--state <folder>', 'the tracker’s folder').default('tracker-state')
const inGateway = (): Option => new Option('--gateway <folder>', 'the tracker that this gateway is, instead of --state')
const folderOf = ({ state, gateway }: { state: string; gateway?: string }): string =>
  gateway === undefined ? state : join(gateway, TRACKER_FOLDER)

/** Adds `tracker init|run|line|status` and `gateway trackers`. `stopped`: resolves when the program is told to end. */
export function registerTracker(program: Command, around: AdminSurroundings, stopped: () => Promise<void>): void {
  const tracker = program.command('tracker').description('Run a tracker: where people who know your id find you.')
  registerInit(tracker, around)
  registerRun(tracker, around, stopped)
  registerLine(tracker, around)
  registerStatus(tracker, around)
  registerList(program.commands.find((command) => command.name() === 'gateway')!, around)
}

function registerInit(tracker: Command, { out }: AdminSurroundings): void {
  tracker
    .command('init')
    .description('Make a tracker’s folder: configuration and key.')
    .addOption(trackerState())
    .addOption(inGateway())
    .option('--listen <host:port>', 'where gateways connect; not needed inside a gateway, for its own members')
    .option('--address <name>', 'where gateways find it, if not where it listens')
    .option('--gigabytes <number>', 'of disk at the most', wholeNumber('--gigabytes', 1, 20))
    .addOption(jsonOption())
    .action(async ({ json, listen, address, gigabytes, ...where }: InitFlags) => {
      if (listen === undefined && where.gateway === undefined)
        throw new SottoError('E_USAGE', 'A tracker of its own needs --listen host:port.')
      const folder = folderOf(where)
      const wanted = {
        ...(listen === undefined ? {} : { listen }),
        ...(address === undefined ? {} : { address }),
        ...(gigabytes === undefined ? {} : { gigabytes }),
      }
      const made = await initTracker(folder, wanted)
      const own = await listedTracker(folder)
      const line = trackerLine(own)
      if (json) return out(`${JSON.stringify({ folder, made, line })}\n`)
      out(
        `${folder} is ${made ? 'made' : 'complete'}. Keep a copy of it: with another key nobody finds what is there.\n`,
      )
      out(`${line}\n`)
      if (own.port !== undefined) out(firewallRules(own.port))
      out('Next: sotto gateway trackers with this line, for each gateway whose members shall ask it.\n')
    })
}

/** For the operator's own firewall: the tracker limits queries, the kernel spares it the connections. */
function firewallRules(port: number): string {
  return [
    'For nftables, against floods of connections:',
    '  table inet sotto_tracker {',
    '    set busy4 { type ipv4_addr; flags dynamic; timeout 1m; size 65536; }',
    '    chain input {',
    '      type filter hook input priority filter; policy accept;',
    `      tcp dport ${port} ct state new add @busy4 { ip saddr and 255.255.255.0 limit rate over 60/minute burst 120 packets } drop`,
    '    }',
    '  }',
    '',
  ].join('\n')
}

function registerRun(tracker: Command, { now }: AdminSurroundings, stopped: () => Promise<void>): void {
  tracker
    .command('run')
    .description('Serve until stopped (SIGTERM, Ctrl-C).')
    .addOption(trackerState())
    .action(async ({ state }: { state: string }) => {
      const log = (line: string): void => void process.stderr.write(`${line}\n`)
      const report = (error: unknown): void => log(`fault: ${error instanceof Error ? error.message : 'unknown'}`)
      const running = await runTracker(state, now, report)
      log(`tracker is up${running.port === undefined ? '' : ` on port ${running.port}`}`)
      await stopped()
      await running.stop()
    })
}

function registerLine(tracker: Command, { out }: AdminSurroundings): void {
  tracker
    .command('line')
    .description('Print the line by which gateways know this tracker.')
    .addOption(trackerState())
    .addOption(inGateway())
    .addOption(jsonOption())
    .action(async ({ json, ...where }: InitFlags) => {
      const line = trackerLine(await listedTracker(folderOf(where)))
      out(json ? `${JSON.stringify({ line })}\n` : `${line}\n`)
    })
}

function registerStatus(tracker: Command, { out }: AdminSurroundings): void {
  tracker
    .command('status')
    .description('Show how many records there are and what they take; nothing of what they say.')
    .addOption(trackerState())
    .addOption(inGateway())
    .addOption(jsonOption())
    .action(async ({ json, ...where }: InitFlags) => {
      const store = await RecordStore.open({ file: join(folderOf(where), RECORDS_FILE) })
      try {
        const { records, questions, bytes } = store.counts()
        if (json) return out(`${JSON.stringify({ records, questions, bytes })}\n`)
        out(`records ${records}, questions ${questions}, ${(bytes / 1024 ** 2).toFixed(1)} MiB\n`)
      } finally {
        await store.close()
      }
    })
}

function registerList(gateway: Command, { out, now }: AdminSurroundings): void {
  gateway
    .command('trackers')
    .argument('<line...>', 'as sotto tracker init prints it')
    .description('Sign the list of trackers that this gateway hands its members’ queries to.')
    .addOption(stateOption())
    .addOption(new Option('--root-key <file>', 'where the root key is (default: pack-root.key in the state folder)'))
    .option('--days <number>', 'days until the list ends', wholeNumber('--days', 1, 400), 90)
    .addOption(jsonOption())
    .action(async (lines: readonly string[], flags: ListFlags) => {
      const { file, version } = await signList(lines, flags, now())
      const trackers = lines.length
      out(flags.json ? `${JSON.stringify({ file, version, trackers })}\n` : `${file}: ${trackers} trackers.\n`)
    })
}

/** The version is the second of signing: it rises by itself, wherever the key is. @throws SottoError E_PACK_KEY, E_CONFIG */
async function signList(
  lines: readonly string[],
  { state, rootKey, days }: ListFlags,
  now: number,
): Promise<{ file: string; version: number }> {
  const keyFile = rootKey ?? join(state, 'pack-root.key')
  if (!existsSync(keyFile)) throw new SottoError('E_PACK_KEY', `There is no root key in ${keyFile}.`)
  const items = lines.map(trackerOf)
  const version = Math.floor(now / 1000)
  const from = version - CLOCK_SECONDS
  const list = { version, from, until: version + days * DAY_SECONDS, items }
  const file = join(state, TRACKER_LIST_FILE)
  const bytes = sealed(await readSecretFile(keyFile, rootKind), list)
  await writeFile(`${file}.next`, bytes, { mode: 0o600 })
  await rename(`${file}.next`, file)
  return { file, version }
}

function sealed(seed: Uint8Array, list: Parameters<typeof sealTrackerList>[1]): Uint8Array {
  const keys = new Set(list.items.map(({ key }) => hex(key)))
  if (keys.size !== list.items.length) throw new SottoError('E_CONFIG', 'A tracker is named twice.')
  try {
    return sealTrackerList(seed, list)
  } catch (cause) {
    throw new SottoError('E_CONFIG', `A list has at most ${TrackerListLimits.items} trackers.`, { cause })
  }
}

function trackerOf(line: string): ListedTracker {
  const tracker = parseTrackerLine(line.trim())
  if (tracker === undefined)
    throw new SottoError('E_CONFIG', 'This is no line of a tracker: sotto tracker line prints it.')
  return tracker
}
