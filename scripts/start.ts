/**
 * `./scripts/start`          gateway, website, two members, live view; runs until Ctrl-C
 * `./scripts/start alice`    that member's chat on this terminal (and `bob` on another); `--files FOLDER` lets it send files and pictures
 * `./scripts/start --check`  a whole conversation unattended in a folder of its own; one JSON line, exit 0 where all is well
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { freePort } from './bench/ports.ts'
import { checkConversation } from './demo/conversation.ts'
import { members, openChat } from './demo/members.ts'
import { setUp } from './demo/set-up.ts'
import { startView } from './demo/view.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string' },
    check: { type: 'boolean', default: false },
    port: { type: 'string', default: '8443' },
    'view-port': { type: 'string', default: '8444' },
    state: { type: 'string', default: join(import.meta.dirname, '..', '.state', 'demo') },
  },
})

function portOf(name: 'port' | 'view-port'): number {
  const port = Number(values[name])
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw new SottoError('E_USAGE', `--${name} takes a port number`)
}

async function demo(): Promise<void> {
  const view = await startView(portOf('view-port'))
  const running = await setUp({
    state: resolve(values.state),
    port: portOf('port'),
    observe: (seen) => view.seen(seen),
    tell: (line) => console.error(line),
  })
  const options = process.argv
    .slice(2)
    .map((arg) => ` ${arg}`)
    .join('')
  console.log(`
Sotto is up. The website that everybody sees:  https://localhost:${portOf('port')}
What is said, beside what an observer sees:    http://localhost:${view.port}

Talk, each in a terminal of its own:           ./scripts/start alice${options}
                                               ./scripts/start bob${options}
With files and pictures from a folder:         ./scripts/start alice${options} --files FOLDER

Ctrl-C ends everything; what was said stays in ${values.state}.`)
  await new Promise<void>((end) => {
    process.once('SIGINT', () => end())
    process.once('SIGTERM', () => end())
  })
  await running.stop()
  view.close()
}

async function check(): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'sotto-check-'))
  try {
    const result = await checkConversation({ state, port: await freePort(), tell: (line) => console.error(line) })
    console.log(JSON.stringify(result))
    process.exitCode = result.lost === 0 && result.duplicates === 0 ? 0 : 1
  } finally {
    rmSync(state, { recursive: true, force: true })
  }
}

async function main(): Promise<void> {
  const [who] = positionals
  if (values.check) return await check()
  if (who === undefined) return await demo()
  if (!members.includes(who))
    throw new SottoError('E_USAGE', `there is no ${who} here`, { next: `There are: ${members.join(', ')}.` })
  const files = values.files === undefined ? undefined : resolve(values.files)
  process.exitCode = await openChat({ state: resolve(values.state), member: who, viewPort: portOf('view-port'), files })
}

main().catch((error: unknown) => {
  if (isSottoError(error))
    console.error([`${error.code}: ${error.message}`, error.kept, error.next].filter(Boolean).join('\n  '))
  else console.error(error)
  process.exit(1)
})
