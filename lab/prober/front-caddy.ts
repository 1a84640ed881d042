/** Caddy with the same site several times, beside each other, by the text that `gateway init` writes. */
import { caddySite, caddySnippet } from '#gateway/deploy/caddy.ts'
import { type Plan, SITE_MARK } from '#gateway/deploy/plan.ts'
import { routesOf } from '#gateway/deploy/routes.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'

export interface CaddyInput {
  /** What the website is: files, or an application behind Caddy. */
  readonly site: Plan['site']
  readonly certificate: string
  readonly key: string
  readonly socket: string
}

const planFor = ({ site, certificate, key, socket }: CaddyInput, port: number): Plan => ({
  ...{ kind: 'caddy', domain: 'localhost', port, socket, site, tls: { certificate, key } },
  ...{ acme: false, routes: routesOf(compileBuiltins('node')), patienceS: 75, state: '', program: '' },
})

/** The snippets that the sites below import. */
export function snippets(input: CaddyInput): string {
  const text = caddySnippet(planFor(input, 0))
  return `${text}\n${flawed(text).replace('(sotto) {', '(flawed) {').replaceAll('@sotto', '@flawed')}`
}

/** The control of the comparison: a front that forgets that what was not recognised must leave no trace. */
const flawed = (text: string): string =>
  text
    .replaceAll('header_down -X-Accel-Redirect', 'header_down +X-Served-By gateway')
    .replaceAll('\tvars sotto site', '\theader +X-Served-By gateway')

export const gatewaySite = (input: CaddyInput, port: number): string => caddySite(planFor(input, port))

export const plainSite = (input: CaddyInput, port: number): string =>
  gatewaySite(input, port).replace(/^\s+import sotto\n/m, '')

export const flawedSite = (input: CaddyInput, port: number): string =>
  gatewaySite(input, port).replace('import sotto\n', 'import flawed\n')

/** One server of the timing tests: `/NAME/...` is asked at the socket of that name as `/...`; `site` answers by itself. */
export function timingSite(input: CaddyInput, port: number, sockets: Readonly<Record<string, string>>): string {
  const own = input.site.kind === 'folder' ? ['file_server'] : [`reverse_proxy ${input.site.url}`]
  const back =
    input.site.kind === 'folder'
      ? [`@back header X-Accel-Redirect ${SITE_MARK}`, 'handle_response @back {', '\tvars sotto site', '}']
      : []
  const asked = Object.entries(sockets).flatMap(([name, socket]) => [
    `handle_path /${name}/* {`,
    `reverse_proxy unix/${socket} {`,
    'header_down -X-Accel-Redirect',
    ...back,
    '}',
    ...(input.site.kind === 'folder' ? own : []),
    '}',
  ])
  return [
    `localhost:${port} {`,
    `tls ${input.certificate} ${input.key}`,
    ...(input.site.kind === 'folder' ? [`root * ${input.site.folder}`] : []),
    ...asked,
    'handle_path /site/* {',
    ...own,
    '}',
    '}',
    '',
  ].join('\n')
}
