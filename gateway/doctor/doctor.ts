/** `sotto gateway doctor`: looks at a deployment from the machine and, as a stranger, from the network. */
import { join, resolve } from 'node:path'
import type { Random } from '#protocol/bytes.ts'
import { certificateOf, type GatewayConfig, loadConfig } from '../config.ts'
import { Made } from '../deploy/made.ts'
import { PROGRAM, planOf } from '../deploy/plan.ts'
import { liveTemplates } from '../live-templates.ts'
import { CONFIG_FILE } from '../state.ts'
import { certificatePin } from '../tls-files.ts'
import { ask, type Place, shakeHands, streamsAllowed } from './ask.ts'
import { bad, type Finding, good } from './finding.ts'
import { checkDisk, checkFiles, checkGateway, checkHold, checkModes } from './machine.ts'
import { checkRecognised } from './recognised.ts'
import * as website from './website.ts'

export interface DoctorInput {
  readonly state: string
  readonly now: number
  readonly random: Random
}

/** @throws SottoError E_STATE_UNREADABLE, E_CONFIG */
export async function examine({ state, now, random }: DoctorInput): Promise<Finding[]> {
  const folder = resolve(state)
  const config = await loadConfig(join(folder, CONFIG_FILE))
  const gateway = await checkGateway(config)
  return [
    await checkModes(folder, config),
    await checkDisk(folder),
    gateway,
    ...(await examineFiles(folder, config)),
    ...(await examineWebsite({ folder, config, runs: gateway.level === 'ok', now, random })),
  ]
}

async function examineFiles(folder: string, config: GatewayConfig): Promise<Finding[]> {
  if (config.front?.kind === undefined) return []
  const plan = planOf(config, liveTemplates(config.templates), { state: folder, program: PROGRAM })
  const { etc } = await Made.open(folder)
  const hold = await checkHold(plan, etc, config.holdMs)
  return [await checkFiles(plan, etc), ...(hold === undefined ? [] : [hold])]
}

/** Where members come: the first address of the invites, or the name. */
const placeOf = ({ addresses, domain, port }: GatewayConfig): Place => ({
  address: addresses[0] ?? domain,
  port,
  domain,
})

interface WebsiteInput {
  readonly folder: string
  readonly config: GatewayConfig
  /** Whether the gateway itself answers: otherwise nobody can be recognised. */
  readonly runs: boolean
  readonly now: number
  readonly random: Random
}

async function examineWebsite(input: WebsiteInput): Promise<Finding[]> {
  const place = placeOf(input.config)
  try {
    return await examineAt(place, input)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    // The web server may be well, and only the name not lead here.
    const here = { ...place, address: '127.0.0.1' }
    const found = place.address === here.address ? undefined : await examineAt(here, input).catch(() => undefined)
    if (found === undefined) {
      const mend = 'Is the web server up, the port open in the firewall, and the name’s address this machine’s?'
      return [bad('front', 'fail', `No website at ${place.address}:${place.port} (${reason}).`, mend)]
    }
    const what = `The website answers on this machine itself, and not at ${place.address}:${place.port} (${reason}).`
    const mend = 'Let the name lead to this machine (an A or AAAA record), and open the port in the firewall before it.'
    return [bad('name', 'fail', what, mend), ...found]
  }
}

async function examineAt(place: Place, { folder, config, runs, now, random }: WebsiteInput): Promise<Finding[]> {
  const hands = await shakeHands(place)
  const certificate = certificateOf(config)
  const pin = certificate === undefined ? undefined : await certificatePin({ certificate })
  const page = await ask(place, { method: 'GET', target: '/', headers: [], body: undefined })
  const site = config.front?.site ?? (config.decoy.kind === 'upstream' ? config.decoy : undefined)
  const application = site?.kind === 'upstream' ? [await website.checkApplication(site.url, config.domain)] : []
  const front = [
    good('front', `The website answers at ${place.address}:${place.port}.`),
    ...application,
    website.checkCertificate(hands, pin, now),
    await website.checkTls(place),
    website.checkHttp2(hands, hands.alpn === 'h2' ? await streamsAllowed(place) : undefined),
    website.checkClock(page, now),
  ]
  // Without it there is nothing to compare with.
  if (application.some(({ level }) => level === 'fail')) return front
  const templates = liveTemplates(config.templates)
  const probes = await website.probe(place, templates, site, random)
  const body = await website.checkBody(place, probes)
  return [
    ...front,
    website.checkPaths(probes),
    website.checkParity(probes, site?.kind === 'upstream'),
    website.checkHeaders(page, probes),
    website.checkCache(await website.askAgain(place, probes)),
    ...(body === undefined ? [] : [body]),
    ...(runs ? [await checkRecognised({ folder, place, templates, page, now, random })] : []),
    ...(config.listen.kind === 'https' ? [standAlone()] : []),
  ]
}

const standAlone = (): Finding =>
  bad(
    'stand-alone',
    'warn',
    'The gateway itself faces the network.',
    'Put nginx or Caddy in front: sotto gateway init --front nginx.',
  )
