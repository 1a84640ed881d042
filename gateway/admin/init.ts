/** `sotto gateway init`: everything a gateway needs in one folder, and the system files that go with it. */
import { existsSync, statSync } from 'node:fs'
import { readFile, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { builtinIds } from '../../camouflage-templates/builtin.ts'
import { type GatewayConfig, loadConfig, parseConfig } from '../config.ts'
import { systemFiles } from '../deploy/files.ts'
import { type Fate, Made } from '../deploy/made.ts'
import { type FrontKind, PROGRAM, planOf } from '../deploy/plan.ts'
import { liveTemplates } from '../live-templates.ts'
import { CONFIG_FILE, initState } from '../state.ts'
import { createSelfSigned, readTlsFiles, type TlsFiles } from '../tls-files.ts'
import { answersOf } from './answers.ts'
import { nextSteps } from './next-steps.ts'
import { copySampleSite, isEmptyFolder } from './sample-site.ts'

export interface InitOptions {
  readonly state: string
  readonly name?: string
  /** Missing where what is configured already is to be put in place again. */
  readonly domain?: string
  readonly port?: number
  readonly address: readonly string[]
  readonly front?: FrontKind
  readonly listen?: string
  readonly certificate?: string
  readonly key?: string
  readonly selfSigned: boolean
  readonly acme: boolean
  readonly email?: string
  readonly acmeDirectory?: string
  readonly site?: string
  readonly upstream?: string
  readonly decoy?: string
  readonly template?: readonly string[]
  /** It is one person's own (`sotto node init`). */
  readonly node?: boolean
  /** Where system files go, instead of `deploy/` in the state folder. */
  readonly etc?: string
  readonly force: boolean
  /** Whether to say how the system files are put in place; not where a script does that. */
  readonly steps?: boolean
}

export interface InitResult {
  readonly folder: string
  /** Names of what was made now; what was there is left alone. */
  readonly made: readonly string[]
  /** System files, with what became of them. */
  readonly files: readonly WrittenFile[]
  /** What the operator should know. */
  readonly notes: readonly string[]
}

export interface WrittenFile {
  readonly path: string
  readonly fate: Fate
}

const SITE_FOLDER = 'site'
const DEPLOY_FOLDER = 'deploy'

/** @throws SottoError E_USAGE, E_CONFIG, E_STATE_UNREADABLE, E_DISK_FULL */
export async function initGateway(options: InitOptions, now: Date): Promise<InitResult> {
  const folder = resolve(options.state)
  const file = join(folder, CONFIG_FILE)
  const { domain } = options
  if (domain === undefined || domain === '') return await renew(folder, file, options)
  const text = answersOf({ ...options, domain })
  // Every mistake shows before anything is written.
  const wanted = parseOptions(text, file)
  requireFolder(options.site)
  requireTemplates(wanted.templates)
  const notes: string[] = []
  let made: string[]
  if (existsSync(file)) {
    made = [...(await initState(folder, '')), ...(await changeConfig(folder, text, wanted, options.force, notes))]
  } else {
    made = await makeAll(folder, text, wanted, options, now)
    notes.push(...firstNotes(options))
  }
  const config = await loadConfig(file)
  const files = await writeSystemFiles(folder, config, options, notes)
  return { folder, made, files, notes }
}

/** @throws SottoError E_CONFIG that names the field; there is no file yet that could be corrected */
function parseOptions(text: string, file: string): GatewayConfig {
  try {
    return parseConfig(text, file)
  } catch (error) {
    if (!isSottoError(error, 'E_CONFIG')) throw error
    const what = error.message.replace(/^.*?gateway\.yaml:\d+: /, '')
    throw new SottoError('E_CONFIG', what, {
      kept: 'Nothing was written.',
      next: 'Correct that option of the command.',
    })
  }
}

function requireFolder(site: string | undefined): void {
  if (site === undefined || statSync(site, { throwIfNoEntry: false })?.isDirectory() !== false) return
  throw new SottoError('E_USAGE', `--site takes the folder of a website, and ${site} is none.`)
}

const deciding = [
  ...([
    'name',
    'port',
    'front',
    'listen',
    'certificate',
    'key',
    'selfSigned',
    'acme',
    'email',
    'acmeDirectory',
  ] as const),
  ...(['site', 'upstream', 'decoy', 'template'] as const),
] as const

/** After an upgrade, or a change of gateway.yaml: the system files as they are to be now. */
async function renew(folder: string, file: string, options: InitOptions): Promise<InitResult> {
  if (!existsSync(file) || deciding.some((name) => options[name] !== undefined && options[name] !== false))
    throw new SottoError('E_USAGE', 'name the website, beside what else it is to be: --domain workshop.example')
  const config = await loadConfig(file)
  const made = await initState(folder, '')
  const notes: string[] = []
  const files = await writeSystemFiles(folder, config, options, notes)
  return { folder, made, files, notes }
}

function requireTemplates(names: readonly string[]): void {
  const known = builtinIds()
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new SottoError('E_USAGE', `There is no template ${JSON.stringify(unknown)}; there are ${known.join(', ')}.`)
}

async function makeAll(
  folder: string,
  text: string,
  config: GatewayConfig,
  options: InitOptions,
  now: Date,
): Promise<string[]> {
  const tls = config.listen.kind === 'https' ? config.listen : undefined
  if (tls !== undefined && !options.selfSigned && !options.acme) await readTlsFiles(tls)
  const made = await initState(folder, text, async () => {
    const before: string[] = []
    if (tls !== undefined && options.selfSigned) before.push(...(await makeCertificate(config.domain, tls, now)))
    const record = await Made.open(folder)
    const site = sampleFolder(folder, options, record)
    if (site !== undefined) {
      await copySampleSite(record, site, config.domain)
      before.push(SITE_FOLDER)
    }
    return before
  })
  const record = await Made.open(folder)
  await record.adopt(join(folder, CONFIG_FILE))
  await record.save()
  return made
}

/** Where there is no website yet, or the sample was begun, the sample stands in for it. */
function sampleFolder(folder: string, { site, upstream, decoy }: InitOptions, made: Made): string | undefined {
  if (site !== undefined) {
    const place = resolve(site)
    const begun = made.paths.some((path) => path.startsWith(`${place}/`))
    return begun || isEmptyFolder(place) ? place : undefined
  }
  return upstream === undefined && decoy === undefined ? join(folder, SITE_FOLDER) : undefined
}

async function makeCertificate(domain: string, files: TlsFiles, now: Date): Promise<string[]> {
  const found = [files.key, files.certificate].filter((file) => existsSync(file))
  if (found.length === 2) return []
  // Half of a making that broke off. Once there is a gateway, this is not run any more.
  for (const file of found) await unlink(file)
  await createSelfSigned(domain, files, now)
  return ['tls.key', 'certificate.pem']
}

/** What the command line can decide. */
const decided = [
  'name',
  'domain',
  'port',
  'addresses',
  'listen',
  'acme',
  'decoy',
  'front',
  'templates',
  'node',
] as const

/** Tells what the command line would have otherwise than it is, and writes it only with `force`. */
async function changeConfig(
  folder: string,
  text: string,
  wanted: GatewayConfig,
  force: boolean,
  notes: string[],
): Promise<string[]> {
  const file = join(folder, CONFIG_FILE)
  const found = await loadConfig(file)
  const changes = decided.flatMap((field) => {
    const [is, would] = [JSON.stringify(found[field]), JSON.stringify(wanted[field])]
    return is === would ? [] : [`${field}: ${is ?? 'nothing'}, and now ${would ?? 'nothing'}`]
  })
  if (changes.length === 0) return []
  if (!force) {
    notes.push(`${CONFIG_FILE} was there and is as it was. Different on this command line (--force writes it):`)
    notes.push(...changes.map((change) => `  ${change}`))
    return []
  }
  const made = await Made.open(folder)
  await made.write(`${file}.before`, await readFile(file), 0o600, true)
  await made.adopt(file)
  await made.write(file, text, 0o644, true)
  await made.save()
  notes.push(`${CONFIG_FILE} is changed; what it was is in ${CONFIG_FILE}.before:`, ...changes.map((one) => `  ${one}`))
  return [CONFIG_FILE]
}

async function writeSystemFiles(
  folder: string,
  config: GatewayConfig,
  { etc, force, steps }: InitOptions,
  notes: string[],
): Promise<WrittenFile[]> {
  if (config.front?.kind === undefined) return []
  const plan = planOf(config, liveTemplates(config.templates), { state: folder, program: PROGRAM })
  const made = await Made.open(folder)
  made.etc = resolve(etc ?? made.etc ?? join(folder, DEPLOY_FOLDER))
  const files = systemFiles(plan).map((file) => ({ ...file, path: join(made.etc!, file.path) }))
  await made.intend(files.map(({ path, text }) => [path, text]))
  const written: WrittenFile[] = []
  for (const { path, text, mode } of files) written.push({ path, fate: await made.write(path, text, mode, force) })
  await made.save()
  for (const { path, fate } of written) {
    if (fate === 'foreign') notes.push(`${path} is not from here and was left alone: move it away, and run this again.`)
    if (fate === 'edited') notes.push(`${path} was changed by hand and was left alone; --force writes it anew.`)
  }
  const isNew = written.some(({ fate }) => fate === 'made' || fate === 'renewed')
  if (isNew && steps !== false) notes.push(...nextSteps(plan, made.etc))
  return written
}

function firstNotes({ decoy, site, upstream, selfSigned }: InitOptions): string[] {
  const notes = ['Keep a copy of the *.key files: without them members cannot come back.']
  if ((decoy === undefined && upstream === undefined && site === undefined) || (site !== undefined && isSample(site)))
    notes.push(`${site ?? SITE_FOLDER}/ is a sample that everybody has who tries Sotto: put your own website there.`)
  if (selfSigned) notes.push('The certificate is self-signed: members are fine, visitors get a warning.')
  return notes
}

const isSample = (site: string): boolean => existsSync(join(resolve(site), 'articles', 'winter-chain.html'))
