/** What a check of a deployment has found. */
export interface Finding {
  readonly id: CheckId
  /** `fail`: members cannot come, or strangers can see something. `warn`: it works, and could be better or soon will not. */
  readonly level: 'ok' | 'warn' | 'fail'
  readonly what: string
  readonly why: string
  /** Empty where there is nothing to mend. */
  readonly mend: string
}

/** Every check, with the reason for it. */
export const checks = {
  modes: 'Whoever can read a key can pose as the gateway or read what is stored.',
  disk: 'Without room the gateway keeps no mail.',
  gateway: 'Members get the website instead of the gateway while it does not run.',
  front: 'Nobody can come where nothing answers.',
  certificate:
    'Members refuse a certificate that nobody vouches for, that has ended, or that their invite does not name.',
  clock: 'Members take the time from the website’s answers, and are not recognised when it is wrong.',
  tls: 'Old versions of TLS are weak, and a server that still speaks them stands out.',
  http2: 'Almost every website speaks HTTP/2; one that does not stands out.',
  files: 'The web server must ask the gateway on the paths of the templates in use, and on no others.',
  hold: 'A poll that the web server gives up on too early fails, and a buffered answer comes late.',
  paths: 'A prober finds a path odd on which members are busy and the website has nothing.',
  parity: 'A path that answers otherwise than the website gives the gateway away.',
  cache: 'An edge that keeps answers gives an old one to a new request.',
  headers: 'A header that only these paths have gives the gateway away.',
  body: 'Members’ requests have bodies of up to 256 KiB.',
  application: 'While the website’s application is away, everybody gets an error of the web server.',
  recognised: 'The gateway has to know members through all that stands in front; everybody else gets the website.',
  name: 'Members find the website by its name, unless their invites have addresses.',
  'stand-alone':
    'A careful prober can tell Node from an ordinary web server: malformed requests, limits, patience, TLS, HTTP/2, timing.',
} as const

export type CheckId = keyof typeof checks

export const good = (id: CheckId, what: string): Finding => ({ id, level: 'ok', what, why: checks[id], mend: '' })

export const bad = (id: CheckId, level: 'warn' | 'fail', what: string, mend: string): Finding => ({
  ...{ id, level, what, mend },
  why: checks[id],
})

/** Days before its end at which a certificate's renewal has failed, where it is automatic. */
export const RENEWED_BY_DAYS = 14
export const RENEW = 'Renew it (certbot renew), and look why that did not happen by itself.'
