/** Caddy in front of a gateway. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Owner } from './command.ts'

export const CADDY = '/usr/bin/caddy'

export const hasCaddy = (): boolean => existsSync(CADDY)

/** Runs until its owner ends. `text`: the Caddyfile without its global options; imports count from `folder`. */
export async function startCaddy(owner: Owner, folder: string, text: string): Promise<void> {
  const file = join(folder, 'Caddyfile')
  await writeFile(file, `{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n${text}`)
  // Certificates of its own, logs and what it remembers stay in the folder.
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const tried = spawnSync(CADDY, ['validate', '--config', file, '--adapter', 'caddyfile'], { encoding: 'utf8', env })
  if (tried.status !== 0) throw new Error(tried.stderr)
  const child = spawn(CADDY, ['run', '--config', file, '--adapter', 'caddyfile'], { stdio: 'ignore', env })
  owner.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
}
