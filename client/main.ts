/** The core of `sotto`: what a member types, run without network by the launcher (firewall/main.ts). */
import { Command } from 'commander'
import { inheritedBroker } from '#firewall/core-side.ts'
import { coreFolder } from '#firewall/options.ts'
import { registerCommands } from './cli/commands.ts'
import { exitStatus, formatError } from './cli/report.ts'
import { refuseInArguments } from './cli/secrets.ts'
import { realClockwork } from './clockwork.ts'

const args = process.argv.slice(2)
const json = args.includes('--json')

function fail(error: unknown): void {
  process.stderr.write(`${formatError(error, json)}\n`)
  process.exitCode = exitStatus(error)
}

async function main(): Promise<void> {
  refuseInArguments(args)
  const broker = inheritedBroker((error) => {
    fail(error)
    process.exit()
  })
  const program = new Command('sotto')
    .description('Chat, end-to-end encrypted, where it is forbidden.')
    .version('0.1.0')
    .addHelpText(
      'after',
      '\n  firewall                      What the firewall lets through, why, and what it did: sotto firewall --help' +
        '\n  --confine                     Before any command, on Linux: the kernel keeps the network away from all but a small gate',
    )
  const folder = coreFolder(args, process.env)
  await registerCommands(program, { broker, clockwork: realClockwork, folder, streams: process }, args[0])
  try {
    // We may have been started before the firewall was open: nothing is asked or done before it is.
    await broker.endpoints()
    await program.parseAsync()
  } finally {
    broker.close()
  }
}

void main().catch(fail)
