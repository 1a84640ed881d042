/**
 * `gateway.yaml`: what an operator decides. Few fields, no secret among them; paths count from the file's own folder.
 *
 *     name: The workshop                 # shown to those you invite
 *     domain: workshop.example           # what visitors type
 *     port: 443                          # where they reach it; 443 where nothing is said
 *     addresses: [192.0.2.7]             # put into invites, so that no DNS is needed; may be left out
 *     listen:                            # one of three
 *       https: 0.0.0.0:443
 *       certificate: fullchain.pem
 *       key: privkey.pem
 *     acme: {email: anna@workshop.example}   # https only: the gateway gets and renews the certificate itself
 *     # unix: /run/sotto/gateway.sock    # behind the site's own web server
 *     # http: 127.0.0.1:8080             # the same, over loopback
 *     decoy:                             # one of three: what everybody else sees
 *       folder: site
 *     # upstream: http://127.0.0.1:8081
 *     # accel: "@decoy"                  # nginx serves it: a named location
 *     templates: [support-chat]          # the first one goes into invites
 *     front:                             # what stands in front, where something does
 *       kind: nginx                      # nginx, caddy or none: what `gateway init` writes system files for
 *       folder: /srv/www                 # the website it serves: folder or upstream
 *       certificate: fullchain.pem       # and key: its certificate; invites carry its hash where no public authority vouches
 *     mailbox: {policy: disk}            # the most that is kept for members: none, ram or disk
 *     node: true                         # one person's own: its members let their friends in; false where nothing is said
 *     hold: 25                           # seconds a poll may be held; below the idle limit of what stands in front
 *     limits: {storeBytes: 8 GiB, fileBytes: 4 GiB, queuesPerMember: 1024, diskBytesPerMember: 64 MiB, ramBytesPerMember: 16 MiB, ramBytes: 256 MiB}
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname, resolve } from 'node:path'
import * as v from 'valibot'
import { readSource, type Source } from '#engine/source.ts'
import { TemplateError } from '#engine/template-error.ts'
import { Limits } from '#protocol/constants.ts'
import { SottoError } from '#protocol/errors.ts'
import { InviteLimits } from '#protocol/invite.ts'
import { type AcmeConfig, acmeFields, acmeOf } from './acme/acme-config.ts'
import { hostPort, ip, isLoopback, origin, path, pattern, size, systemPath, whole } from './config-fields.ts'
import type { Policy } from './services/mailbox/arguments.ts'
import type { MailboxOverrides } from './services/mailbox/mailbox.ts'

export type Listen =
  | {
      readonly kind: 'https'
      readonly host: string
      readonly port: number
      /** Absolute paths of PEM files. */
      readonly certificate: string
      readonly key: string
    }
  | { readonly kind: 'http'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

export type DecoyChoice =
  | { readonly kind: 'folder'; readonly folder: string }
  /** Origin, without a path. */
  | { readonly kind: 'upstream'; readonly url: string }
  /** Named location of the web server in front. */
  | { readonly kind: 'accel'; readonly location: string }

/** What a web server in front serves. */
export type Website =
  | { readonly kind: 'folder'; readonly folder: string }
  /** Origin, without a path. */
  | { readonly kind: 'upstream'; readonly url: string }

export interface FrontConfig {
  /** Undefined where the operator configures it by hand. */
  readonly kind: 'nginx' | 'caddy' | 'none' | undefined
  readonly site: Website | undefined
  /** Absolute paths of PEM files. */
  readonly certificate: string | undefined
  readonly key: string | undefined
}

export interface GatewayConfig {
  readonly name: string
  readonly domain: string
  readonly port: number
  readonly addresses: readonly string[]
  readonly listen: Listen
  readonly acme: AcmeConfig | undefined
  readonly decoy: DecoyChoice
  readonly front: FrontConfig | undefined
  readonly templates: readonly string[]
  readonly mailbox: { readonly policy: Policy }
  /** It is one person's own: who is a member may let guests in. */
  readonly node: boolean
  readonly holdMs: number
  readonly storeBytes: number | undefined
  /** Octets of the store of files; undefined: as it says itself. */
  readonly fileBytes: number | undefined
  readonly mailboxLimits: MailboxOverrides
}

/** What members see on the way: the gateway's own certificate, or the one that is named for the server in front. */
export const certificateOf = ({ listen, front }: GatewayConfig): string | undefined =>
  listen.kind === 'https' ? listen.certificate : front?.certificate

const oneOf = 'exactly one of'
const listen = v.pipe(
  v.strictObject(
    {
      https: v.optional(hostPort(() => true, 'host:port, for example 0.0.0.0:443')),
      certificate: v.optional(path),
      key: v.optional(path),
      http: v.optional(
        hostPort(
          isLoopback,
          'a loopback address with a port, for example 127.0.0.1:8080: what is not https must stay on this machine',
        ),
      ),
      unix: v.optional(path),
    },
    `${oneOf} https, http and unix`,
  ),
  v.check(
    ({ https, http, unix }) => [https, http, unix].filter((choice) => choice !== undefined).length === 1,
    `${oneOf} https, http and unix`,
  ),
  v.check(
    ({ https, certificate, key }) =>
      https === undefined
        ? certificate === undefined && key === undefined
        : certificate !== undefined && key !== undefined,
    'certificate and key beside https, and only there',
  ),
)

const decoy = v.pipe(
  v.strictObject(
    {
      folder: v.optional(path),
      upstream: v.optional(origin),
      accel: v.optional(pattern(/^@[A-Za-z0-9_-]{1,64}$/, 'a named location like "@decoy"')),
    },
    `${oneOf} folder, upstream and accel`,
  ),
  v.check((choices) => Object.keys(choices).length === 1, `${oneOf} folder, upstream and accel`),
)

const front = v.pipe(
  v.strictObject(
    {
      kind: v.optional(v.picklist(['nginx', 'caddy', 'none'], 'nginx, caddy or none')),
      folder: v.optional(systemPath),
      upstream: v.optional(origin),
      certificate: v.optional(systemPath),
      key: v.optional(systemPath),
    },
    'fields like kind and folder',
  ),
  v.check(
    ({ kind, folder: site, upstream }) =>
      kind === 'nginx' || kind === 'caddy'
        ? (site === undefined) !== (upstream === undefined)
        : site === undefined && upstream === undefined,
    `${oneOf} folder and upstream beside nginx and caddy, and only there`,
  ),
)

const fields = v.strictObject(
  {
    name: v.pipe(
      v.string('a name'),
      v.check(
        (text) => text.length > 0 && text.length <= InviteLimits.nameCharacters && !/\p{C}/u.test(text),
        `a name of 1 to ${InviteLimits.nameCharacters} characters`,
      ),
    ),
    domain: pattern(
      /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.|$))+(?<!\.)$/,
      'a domain in small letters, or an IPv4 address',
    ),
    port: v.optional(whole(1, 65_535), 443),
    addresses: v.optional(
      v.pipe(
        v.array(ip, 'a list of IP addresses'),
        v.maxLength(InviteLimits.addresses, `at most ${InviteLimits.addresses} addresses`),
      ),
      [],
    ),
    listen,
    acme: v.optional(acmeFields),
    decoy,
    front: v.optional(front),
    templates: v.pipe(
      v.array(pattern(/^[a-z0-9][a-z0-9-]{0,31}$/, 'the name of a template'), 'a list of templates'),
      v.minLength(1, 'at least one template'),
      v.check((names) => new Set(names).size === names.length, 'each template once'),
    ),
    mailbox: v.optional(
      v.strictObject({ policy: v.picklist(['none', 'ram', 'disk'], 'none, ram or disk') }, 'a policy'),
      {
        policy: 'disk',
      },
    ),
    node: v.optional(v.boolean('true or false'), false),
    hold: v.optional(whole(1, Limits.holdMs / 1000), Limits.holdMs / 1000),
    limits: v.optional(
      v.strictObject(
        {
          storeBytes: v.optional(size),
          fileBytes: v.optional(size),
          queuesPerMember: v.optional(whole(1, 1_000_000)),
          diskBytesPerMember: v.optional(size),
          ramBytesPerMember: v.optional(size),
          ramBytes: v.optional(size),
        },
        'limits by name',
      ),
      {},
    ),
  },
  'fields like name, domain, listen and decoy',
)

const schema = v.pipe(
  fields,
  v.forward(
    v.check((config) => config.acme === undefined || config.listen.https !== undefined, 'acme only beside https'),
    ['acme'],
  ),
  v.forward(
    v.check((config) => config.acme === undefined || !isIP(config.domain), 'a domain beside acme, not an address'),
    ['domain'],
  ),
  v.forward(
    v.check(
      (config) => !(config.decoy.accel && config.listen.https),
      'accel only beside unix or http: it asks the web server in front',
    ),
    ['decoy'],
  ),
  v.forward(
    v.check(
      ({ front: before, listen: { unix } }) =>
        unix !== undefined || !(before?.kind === 'nginx' || before?.kind === 'caddy'),
      'unix under listen beside nginx and caddy',
    ),
    ['front'],
  ),
)

/** @throws SottoError E_CONFIG naming file, line, field and what was expected; E_STATE_UNREADABLE where it cannot be read */
export async function loadConfig(file: string): Promise<GatewayConfig> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SottoError('E_STATE_UNREADABLE', `Could not read ${file}.`, { cause })
  })
  return parseConfig(text, file)
}

/** As `loadConfig`, on the text of `file`. */
export function parseConfig(text: string, file: string): GatewayConfig {
  const { data, source } = readYaml(text, file)
  const parsed = v.safeParse(schema, data, { abortEarly: true })
  if (!parsed.success) throw faultOf(parsed.issues[0], source)
  const { listen: _, decoy: __, acme: certificates, front: before, hold, limits, ...plain } = parsed.output
  const { storeBytes, fileBytes, ...mailboxLimits } = limits
  return {
    ...plain,
    listen: listenOf(parsed.output.listen, dirname(file)),
    acme: certificates === undefined ? undefined : acmeOf(certificates, dirname(file)),
    decoy: decoyOf(parsed.output.decoy, dirname(file)),
    front: before === undefined ? undefined : frontOf(before, dirname(file)),
    holdMs: hold * 1000,
    storeBytes,
    fileBytes,
    mailboxLimits: Object.fromEntries(Object.entries(mailboxLimits).filter(([, value]) => value !== undefined)),
  }
}

function readYaml(text: string, file: string): { data: unknown; source: Source } {
  try {
    return readSource(text, file)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new SottoError('E_CONFIG', `${file}:${error.line}: expected ${error.expectation}.`, { cause: error.cause })
  }
}

function faultOf(issue: v.BaseIssue<unknown>, source: Source): SottoError {
  const at = (issue.path ?? []).map(({ key }) => key as string | number)
  return new SottoError(
    'E_CONFIG',
    `${source.file}:${source.line(at)}: ${at.join('.') || 'file'}: ${complaint(issue)}.`,
  )
}

/** Our own messages are expectations; the library's own come of fields that are missing or unknown. */
function complaint(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return 'there is no such field'
  if (issue.input === undefined) return 'this field is missing'
  const found = typeof issue.input === 'object' ? '' : `, found ${JSON.stringify(String(issue.input).slice(0, 40))}`
  return `expected ${issue.message}${found}`
}

function listenOf({ https, http, unix, certificate, key }: v.InferOutput<typeof listen>, folder: string): Listen {
  if (https !== undefined) {
    return { kind: 'https', ...https, certificate: resolve(folder, certificate!), key: resolve(folder, key!) }
  }
  return http === undefined ? { kind: 'unix', path: resolve(folder, unix!) } : { kind: 'http', ...http }
}

function decoyOf({ folder: site, upstream, accel }: v.InferOutput<typeof decoy>, folder: string): DecoyChoice {
  if (site !== undefined) return { kind: 'folder', folder: resolve(folder, site) }
  return upstream === undefined
    ? { kind: 'accel', location: accel! }
    : { kind: 'upstream', url: new URL(upstream).origin }
}

function frontOf(
  { kind, folder: site, upstream, certificate, key }: v.InferOutput<typeof front>,
  folder: string,
): FrontConfig {
  const absolute = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolve(folder, path)
  return {
    kind,
    site: site === undefined ? upstreamOf(upstream) : { kind: 'folder', folder: resolve(folder, site) },
    certificate: absolute(certificate),
    key: absolute(key),
  }
}

const upstreamOf = (url: string | undefined): Website | undefined =>
  url === undefined ? undefined : { kind: 'upstream', url: new URL(url).origin }
