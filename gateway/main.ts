/** `sotto gateway|node|invite|templates|tracker ...`: the operator's command line. */
import { Command } from 'commander'
import { isSottoError } from '#protocol/errors.ts'
import { addTemplateTools } from '../camouflage-templates/tools/commands.ts'
import { here, registerAdminCommands } from './admin/commands.ts'
import { registerNode } from './admin/node-commands.ts'
import { stateOption } from './admin/options.ts'
import { giveToOwner } from './admin/owner.ts'
import { registerPackCommands } from './admin/packs-commands.ts'
import { registerTracker } from './admin/tracker-commands.ts'
import { startGateway } from './gateway.ts'
import { liveTemplates } from './live-templates.ts'
import { openState } from './state.ts'

process.umask(0o077)
const program = new Command('sotto').description('Run a gateway behind an ordinary website, and invite members to it.')
registerAdminCommands(program)
const templates = program.command('templates').description('Make, judge and rotate what traffic looks like.')
addTemplateTools(templates)
registerPackCommands(templates, here)
registerTracker(program, here, stopped)
registerNode(program, here)
for (const what of ['gateway', 'node'] as const)
  program.commands
    .find((command) => command.name() === what)!
    .command('run')
    .description('Serve until stopped (SIGTERM, Ctrl-C).')
    .addOption(stateOption(what))
    .action(async ({ state }: { state: string }) => await run(state))

// The gateway has a user of its own, and administrators are root.
program.hook('postAction', async (_program, command) => {
  const { state } = command.opts<{ state?: string }>()
  if (state !== undefined) await giveToOwner(state)
})

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`${format(error)}\n`)
  process.exitCode = isSottoError(error, 'E_USAGE') ? 2 : 3
}

async function run(folder: string): Promise<void> {
  const state = await openState(folder)
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  try {
    const gateway = await startGateway({ state, templates: liveTemplates(state.config.templates), log })
    log(`gateway «${state.config.name}» is up${gateway.port === undefined ? '' : ` on port ${gateway.port}`}`)
    await stopped()
    log('stopping ...')
    await gateway.stop()
  } finally {
    await state.close()
  }
}

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })
}

function format(error: unknown): string {
  if (!isSottoError(error)) return `E_INTERNAL: ${error instanceof Error ? error.message : String(error)}`
  return [
    `${error.code}: ${error.message}`,
    ...(error.kept === undefined ? [] : [`  ${error.kept}`]),
    `  ${error.next}`,
  ].join('\n')
}
