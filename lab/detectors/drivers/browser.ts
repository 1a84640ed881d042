/** Genuine visitors in Debian's Chromium, many contexts in one process, on the site's own page with the page's own script. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Owner } from '#test/helpers/command.ts'
import { inside, SERVER } from '../ground/network.ts'
import { SITES } from '../ground/site.ts'
import type { Guest, GuestPlace } from './guest.ts'
import type { RequestKind } from './requests.ts'
import { OPENING, quietOctets, requestOf, thinkOf } from './requests.ts'

export const CHROMIUM = '/usr/bin/chromium'

export interface BrowserInput {
  readonly namespace: string
  readonly folder: string
  /** Of the site's certificate, which the browser shall take for one that it knows. */
  readonly spki: string
  /** File for the secrets of its connections. */
  readonly keys: string
}

/** Without what tells that nobody looks at the screen. */
const agentOf = (version: string): string =>
  `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version.split('.')[0]}.0.0.0 Safari/537.36`

/** The browser, and another one where the last one has died. */
export type Browsers = () => Promise<Browser>

export function startBrowsers(owner: Owner, input: BrowserInput): Browsers {
  let current: Promise<Browser> | undefined
  owner.teardown(async () => void (await current?.then((browser) => browser.close())))
  return async () => {
    current ??= launch(input)
    const before = current
    const browser = await before
    if (browser.isConnected()) return browser
    // Whoever notices first.
    if (current === before) current = launch(input)
    return await current
  }
}

/**
 * What Chromium would do beside the page: a renderer for its own windows with every visit, which costs more than the page, and
 * what playwright leaves out (a later list replaces its own).
 */
const LEFT_OUT = [
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'SpareRendererForSitePerProcess', 'MediaRouter', 'PaintHolding'],
  ...['DestroyProfileOnBrowserClose', 'HttpsUpgrades', 'HttpsFirstBalancedModeAutoEnable', 'OptimizationHints'],
  ...['NetworkTimeServiceQuerying', 'AimEnabled', 'PreconnectToSearch', 'LensOverlay'],
]

async function launch(input: BrowserInput): Promise<Browser> {
  const [command, args] = inside(input.namespace, CHROMIUM, [])
  const wrapper = join(input.folder, 'chromium')
  writeFileSync(wrapper, `#!/bin/sh\nexec ${[command, ...args].join(' ')} "$@"\n`, { mode: 0o700 })
  const rules = SITES.map((site) => `MAP *.${site} ${SERVER}`).join(', ')
  return await chromium.launch({
    executablePath: wrapper,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-pings'],
      // Each page stands for one that somebody looks at.
      '--disable-renderer-priority-management',
      `--disable-features=${LEFT_OUT.join(',')}`,
      `--host-resolver-rules=${rules}`,
      `--ignore-certificate-errors-spki-list=${input.spki}`,
      `--ssl-key-log-file=${input.keys}`,
    ],
  })
}

/** A new context each time: no cookies, no cache, no session of TLS from before. */
export function browserGuest(
  browsers: Browsers,
  template: CompiledTemplate,
  { host }: GuestPlace,
  { open, hear }: { readonly open: () => void; readonly hear: Guest['hear'] },
): Guest {
  let context: BrowserContext | undefined
  let page: Page | undefined
  return {
    enter: async () => {
      open()
      const browser = await browsers()
      context = await browser.newContext({
        userAgent: agentOf(browser.version()),
        viewport: { width: 1280, height: 720 },
      })
      page = await context.newPage()
      // As text: a browser reads that several times as fast as the same written as a program.
      const supply = JSON.stringify(JSON.stringify(supplyOf(template, host)))
      await page.addInitScript(`globalThis.supply = JSON.parse(${supply})`)
      await page.goto(`https://${host}${template.page}`, { waitUntil: 'load' })
      await page.evaluate('room.entered')
    },
    say: () => void page?.evaluate('void room.say("send")').catch(() => {}),
    notice: () => void page?.evaluate('void room.say("notice")').catch(() => {}),
    hear,
    leave: async () => {
      await context?.close()
    },
  }
}

/** More than a visit needs, of each kind; no more, since it is read before the page is. */
const SUPPLY: Readonly<Record<RequestKind, number>> = {
  hello: 1,
  open: 1,
  send: 16,
  notice: 16,
  poll: 32,
  acknowledge: 32,
}

/**
 * What the page takes to seal by itself: so nothing that it does waits for whoever drives the browser, as it would not with
 * code of its own.
 */
function supplyOf(template: CompiledTemplate, host: string): object {
  const sealed = Object.entries(SUPPLY).map(([kind, count]) => [
    kind,
    Array.from({ length: count }, () => sealedRequest(template, kind as RequestKind, host)),
  ])
  return {
    think: thinkOf(template),
    quiet: quietOctets(template),
    opening: OPENING,
    sealed: Object.fromEntries(sealed),
  }
}

/** What only a browser itself may write, or writes anyway. */
const its =
  /^(host|connection|content-length|user-agent|origin|referer|accept-(encoding|language)|priority|sec-.*|cookie|te)$/i

function sealedRequest(template: CompiledTemplate, kind: RequestKind, host: string): object {
  const { method, target, headers, body } = requestOf(template, kind, host)
  return {
    ...{ method, target },
    headers: headers.filter(
      ([name, value]) => !its.test(name) && !(name.toLowerCase() === 'accept' && value === '*/*'),
    ),
    ...(body === undefined ? {} : { body: Buffer.from(body).toString('base64') }),
  }
}
