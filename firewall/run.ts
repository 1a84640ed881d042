/**
 * A whole run of the program: starts it, ends as the core ended, and tells a person what went wrong. Loads what the run needs
 * and no more, and that while the core loads: half of the time from the command to the prompt.
 */
import { isSottoError } from '#protocol/errors.ts'
import type { ConfineOptions } from './kernel/confined.ts'
import type { CoreEnd, LaunchOptions } from './launcher.ts'
import { launch } from './launcher.ts'
import type { LocalBroker } from './local-broker.ts'
import type { Leave } from './lockdown.ts'
import { brokerFolder, browserOption, isIpv6Only, wantsHttp2 } from './options.ts'
import type { Unlocked } from './unlock.ts'

export interface RunOptions extends Omit<LaunchOptions, 'openBroker' | 'starting'> {
  /** Of the lockdown of this process, from before anything else was loaded. */
  readonly leave: Leave
}

/** Runs a command of the firewall itself: no core is started. */
export async function runFirewall(args: readonly string[], env: NodeJS.ProcessEnv): Promise<never> {
  // Whoever reads our output may leave first.
  process.stdout.on('error', () => process.exit())
  const out = (text: string): void => void process.stdout.write(text)
  try {
    process.umask(0o077)
    const { firewallCommands } = await import('./commands.ts')
    const { systemBroker } = await import('./system-broker.ts')
    const { unlock } = await import('./unlock.ts')
    await firewallCommands({
      ...{ args, env, out, now: Date.now, stopped },
      unlock: () => unlock(brokerFolder(args, env), args, process),
      openBroker: (folder, unlocked) => systemBroker(folder, undefined, { unlocked }),
    })
    process.exit(0)
  } catch (error) {
    if (args.includes('--json')) console.error(JSON.stringify({ error: errorValue(error) }))
    else explain(error)
    process.exit(isSottoError(error, 'E_USAGE') ? 2 : 1)
  }
}

/** The first signal that asks to end. */
function stopped(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}

function errorValue(error: unknown): object {
  if (!isSottoError(error)) return { code: 'E_INTERNAL', what: String(error) }
  const { code, message: what, kept, next } = error
  return { code, what, kept, next }
}

/** As `run`, with the broker in a process of its own that the kernel confines; this one is the gate. */
export async function runConfined(options: ConfineOptions): Promise<never> {
  return end(async () => (await import('./kernel/confined.ts')).confined(options))
}

/** Ends this process: with the core's exit code, or by the signal that ended the core. Waits for nothing on the network. */
export async function run({ leave, ...options }: RunOptions): Promise<never> {
  const openBroker = async (folder: string, unlocked: Unlocked | undefined): Promise<LocalBroker> => {
    const { systemBroker } = await import('./system-broker.ts')
    const broker = await systemBroker(folder, leave.way, {
      ipv6Only: isIpv6Only(options.args),
      http2: wantsHttp2(options.args),
      browser: browserOption(options.args),
      machine: leave,
      unlocked,
    })
    leave.onAttempt((attempt) => broker.attempted('closed-road', attempt))
    return broker
  }
  return end(() => launch({ ...options, openBroker, starting: leave.starting }))
}

async function end(whole: () => Promise<CoreEnd>): Promise<never> {
  try {
    const { code, signal, error } = await whole()
    if (error !== undefined) throw error
    if (signal !== null) process.kill(process.pid, signal)
    process.exit(code ?? 1)
  } catch (error) {
    explain(error)
    process.exit(isSottoError(error, 'E_USAGE') ? 2 : 1)
  }
}

function explain(error: unknown): void {
  const lines = isSottoError(error)
    ? [error.message, error.kept, `${error.next} (${error.code})`]
    : ['The launcher failed. (E_INTERNAL)', String(error)]
  console.error(lines.filter((line) => line !== undefined).join('\n'))
}
