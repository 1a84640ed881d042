/** The dialers of this machine: Node's own, and those of browsers as far as they look like them here. */
import type { Random } from '#protocol/bytes.ts'
import { browserDialer, describeProfile, resumes } from './browser.ts'
import type { Dialer } from './dialer.ts'
import type { UnfitDialer } from './dialer-set.ts'
import { impersonation } from './impersonation.ts'
import { installedDialer } from './installed/installed.ts'
import type { Machine } from './installed/machine.ts'
import { systemMachine } from './installed/machine.ts'
import { findBrowser } from './installed/program.ts'
import type { BrowserProfile } from './profile.ts'
import { loadProfile } from './profile.ts'
import type { RouteOptions } from './route.ts'
import { systemRoute } from './route.ts'
import { checkStyle } from './self-check.ts'
import { tlsConnector } from './tls-connector.ts'
import { undiciAlpn, undiciDialer } from './undici.ts'

export interface Dialers {
  readonly dialers: readonly Dialer[]
  readonly unfit: readonly UnfitDialer[]
}

export interface DialersInput extends RouteOptions {
  readonly random: Random
  /** Node's own looks speak HTTP/2 where the server has it. */
  readonly http2?: boolean | undefined
  /** The person's browser, by file or name: then it is the only dialer. */
  readonly browser?: string | undefined
  /** The broker's own. */
  readonly folder: string
  readonly machine?: Machine | undefined
}

/**
 * Node's first: it is there on every platform. A browser's is there only once it has shown the ClientHello of its browser.
 * @throws SottoError E_BROWSER_MISSING, E_BROWSER_FAILED where the person wants a browser that cannot be used
 */
export async function openDialers(input: DialersInput): Promise<Dialers> {
  const { browser: named, folder, machine = systemMachine } = input
  if (named !== undefined) {
    const browser = await findBrowser(named, process.env, machine)
    return { dialers: [installedDialer({ browser, folder, machine, route: systemRoute(input) })], unfit: [] }
  }
  const browsers = await Promise.all((['chromium', 'firefox'] as const).map((family) => openBrowser(family, input)))
  return {
    dialers: [nodeDialer(input), ...browsers.flatMap(({ dialer }) => dialer ?? [])],
    unfit: browsers.flatMap(({ unfit }) => unfit ?? []),
  }
}

function nodeDialer(input: DialersInput): Dialer {
  const { http2: h2 = false } = input
  return undiciDialer({ connector: tlsConnector({ ...input, alpn: undiciAlpn(h2) }), h2 })
}

async function openBrowser(
  family: BrowserProfile['family'],
  input: DialersInput,
): Promise<{ readonly dialer?: Dialer; readonly unfit?: UnfitDialer }> {
  const profile = loadProfile(family)
  const refused = (unfit: string): { unfit: UnfitDialer } => ({ unfit: { ...describeProfile(profile, []), unfit } })
  const style = await impersonation(profile, input.random)
  if (style === undefined) return refused('there is no TLS library for it on this platform')
  const { unfit, leaks } = await checkStyle(style, profile)
  if (unfit !== undefined) return refused(unfit)
  const connector = tlsConnector({ ...input, style, resumes: resumes(profile) })
  return { dialer: browserDialer({ profile, connector, leaks }) }
}
