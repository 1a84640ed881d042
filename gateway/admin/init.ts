/** `sotto gateway init`: everything a gateway needs, in one folder. */
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SottoError } from '#protocol/errors.ts'
import { builtinIds } from '../../camouflage-templates/builtin.ts'
import { parseConfig } from '../config.ts'
import { CONFIG_FILE, initState } from '../state.ts'
import { stateFault } from '../store/faults.ts'
import { createSelfSigned, readTlsFiles, type TlsFiles } from '../tls-files.ts'
import { configText } from './config-text.ts'
import { parseDecoy, parseListen } from './options.ts'

export interface InitOptions {
  readonly state: string
  readonly name?: string
  readonly domain: string
  readonly port?: number
  readonly address: readonly string[]
  readonly listen: string
  readonly certificate?: string
  readonly key?: string
  readonly selfSigned: boolean
  readonly decoy?: string
  readonly template: readonly string[]
}

export interface InitResult {
  readonly folder: string
  /** Names of what was made now; what was there is left alone. */
  readonly made: readonly string[]
  /** What the operator should know. */
  readonly notes: readonly string[]
}

const SITE_FOLDER = 'site'
/** Stands for the domain in the sample site. */
const SAMPLE_DOMAIN = 'workshop.example'
const sampleSite: string = join(import.meta.dirname, '../decoy/sample-site')

/** @throws SottoError E_USAGE, E_CONFIG, E_STATE_UNREADABLE, E_DISK_FULL */
export async function initGateway(options: InitOptions, now: Date): Promise<InitResult> {
  const folder = resolve(options.state)
  if (existsSync(join(folder, CONFIG_FILE))) {
    const made = await initState(folder, '')
    return { folder, made, notes: [`${CONFIG_FILE} was there and is as it was; edit it to change anything.`] }
  }
  const text = answersOf(options)
  // Every mistake shows before anything is written.
  const config = parseConfig(text, join(folder, CONFIG_FILE))
  requireTemplates(config.templates)
  const tls = config.listen.kind === 'https' ? config.listen : undefined
  if (tls !== undefined && !options.selfSigned) await readTlsFiles(tls)
  const made = await initState(folder, text, async () => {
    const before: string[] = []
    if (tls !== undefined && options.selfSigned) before.push(...(await makeCertificate(config.domain, tls, now)))
    if (options.decoy === undefined) before.push(...(await copySampleSite(folder, config.domain)))
    return before
  })
  return { folder, made, notes: notesOf(options) }
}

function requireTemplates(names: readonly string[]): void {
  const known = builtinIds()
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new SottoError('E_USAGE', `There is no template ${JSON.stringify(unknown)}; there are ${known.join(', ')}.`)
}

function answersOf(options: InitOptions): string {
  const listen = parseListen(options.listen)
  const https = 'https' in listen
  const { certificate, key, selfSigned } = options
  const given = certificate !== undefined || key !== undefined
  if (https === (given || selfSigned) && !(given && selfSigned) && (!given || (certificate && key))) {
    const files = given
      ? { certificate: resolve(certificate!), key: resolve(key!) }
      : { certificate: 'certificate.pem', key: 'tls.key' }
    return configText({
      name: options.name ?? options.domain,
      domain: options.domain,
      port: options.port ?? publicPort(listen),
      addresses: options.address,
      listen,
      tls: https ? files : undefined,
      decoy: options.decoy === undefined ? { folder: SITE_FOLDER } : decoyOf(options.decoy),
      templates: options.template,
    })
  }
  throw new SottoError(
    'E_USAGE',
    'https needs either --certificate and --key, or --self-signed; unix and http need neither',
  )
}

function decoyOf(text: string): ReturnType<typeof parseDecoy> {
  const decoy = parseDecoy(text)
  return 'folder' in decoy ? { folder: resolve(decoy.folder) } : decoy
}

/** Behind a web server the public port is that server's. */
const publicPort = (listen: ReturnType<typeof parseListen>): number =>
  'https' in listen ? Number(/:([0-9]+)$/.exec(listen.https)?.[1]) : 443

async function makeCertificate(domain: string, files: TlsFiles, now: Date): Promise<string[]> {
  if (existsSync(files.certificate) && existsSync(files.key)) return []
  await createSelfSigned(domain, files, now)
  return ['tls.key', 'certificate.pem']
}

async function copySampleSite(folder: string, domain: string): Promise<string[]> {
  const site = join(folder, SITE_FOLDER)
  try {
    await mkdir(site, { recursive: true })
    await cp(sampleSite, site, { recursive: true, force: false })
    for (const name of ['robots.txt', 'sitemap.xml']) {
      const text = await readFile(join(site, name), 'utf8')
      await writeFile(join(site, name), text.replaceAll(SAMPLE_DOMAIN, domain))
    }
  } catch (error) {
    throw stateFault(error, `write ${site}`)
  }
  return [SITE_FOLDER]
}

function notesOf({ decoy, selfSigned }: InitOptions): string[] {
  const notes = ['Keep a copy of the *.key files: without them members cannot come back.']
  if (decoy === undefined)
    notes.push('site/ is a sample that everybody has who tries Sotto: put your own website there.')
  if (selfSigned) notes.push('The certificate is self-signed: members are fine, visitors get a warning.')
  return notes
}
