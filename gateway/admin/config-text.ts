/** The first gateway.yaml of an operator, with what each line means. */
import type { DecoyOption, ListenOption } from './options.ts'

export interface ConfigAnswers {
  readonly name: string
  readonly domain: string
  readonly port: number
  readonly addresses: readonly string[]
  readonly listen: ListenOption
  /** Beside https only. */
  readonly tls: { readonly certificate: string; readonly key: string } | undefined
  /** Beside https only: fields of `acme`. */
  readonly acme: Readonly<Record<string, string>> | undefined
  readonly decoy: DecoyOption
  /** Fields of `front`; empty where nothing is known of what stands in front. */
  readonly front: Readonly<Record<string, string>>
  readonly templates: readonly string[]
  readonly node: boolean
}

/** JSON is YAML, so a value is quoted as JSON. */
const line = (indent: number, key: string, value: unknown): string =>
  `${' '.repeat(indent)}${key}: ${JSON.stringify(value)}`
const block = (values: object): string[] => Object.entries(values).map(([key, value]) => line(2, key, value))

export function configText({
  name,
  domain,
  port,
  addresses,
  listen,
  tls,
  acme,
  decoy,
  front,
  templates,
  node,
}: ConfigAnswers): string {
  return [
    '# What this gateway is. Paths count from this folder. A change counts from the next start.',
    '',
    '# Shown to those you invite.',
    line(0, 'name', name),
    '',
    '# Where members reach it: what visitors type, the public port, addresses that make DNS unnecessary.',
    line(0, 'domain', domain),
    line(0, 'port', port),
    line(0, 'addresses', addresses),
    '',
    '# https with certificate and key, or unix or http (loopback only) behind the site’s own web server.',
    'listen:',
    ...block({ ...listen, ...tls }),
    '',
    ...(acme === undefined
      ? []
      : [
          '# The gateway gets and renews the certificate itself: from whom, and where port 80 is answered.',
          'acme:',
          ...block(acme),
          '',
        ]),
    '# What everybody else sees: a folder, an upstream, or accel (a named location of nginx in front).',
    'decoy:',
    ...block(decoy),
    '',
    ...(Object.keys(front).length === 0
      ? []
      : [
          '# What stands in front: nginx, caddy or none; the website it serves; its certificate, where it is not the usual one.',
          'front:',
          ...block(front),
          '',
        ]),
    '# How traffic looks. Invites start with the first one.',
    line(0, 'templates', templates),
    '',
    ...(node
      ? ['# One person’s own: its members let their friends in, and out again.', line(0, 'node', node), '']
      : []),
    '# The most that is kept for members who are away: none, ram or disk.',
    'mailbox:',
    line(2, 'policy', 'disk'),
    '',
  ].join('\n')
}
