/** What a look at the way to a gateway has found. */
import type { EndpointInfo } from '#firewall/permit.ts'

export interface Finding {
  readonly id: CheckId
  /** `fail`: members cannot come, or strangers can see something. `warn`: it works, and could be better or soon will not. */
  readonly level: 'ok' | 'warn' | 'fail'
  /** Name of the gateway; missing for what is of this machine. */
  readonly gateway?: string
  readonly what: string
  readonly why: string
  /** Empty where there is nothing to mend. `operator:` where the member can only tell them. */
  readonly mend: string
}

/** Every check, with the reason for it. */
export const checks = {
  modes: 'Whoever can read the state folder can read your messages and be you.',
  front:
    'Nobody can come where nothing answers. The firewall also refuses every certificate that the invite does not allow.',
  clock: 'Clients take the time from the website, and are not recognised by it when it is wrong.',
  paths: 'A prober finds a path odd on which members are busy and the website has nothing.',
  headers: 'A header that only the paths of templates have gives the gateway away.',
  cache: 'Something on the way that keeps answers gives an old one to a new request.',
  recognised: 'The gateway has to know you as its member; everybody else gets the website.',
  body: 'Requests have bodies of up to 256 KiB; what is smaller on the way makes everything slower.',
  buffering: 'While one request waits for news, others have to come through.',
  hold: 'News come at once while a request may wait, and late where something on the way ends it early.',
  repeats: 'Whoever sends a request on twice makes it cost twice. The gateway answers once.',
} as const

export type CheckId = keyof typeof checks

/** Makes the findings of one gateway, or of this machine. */
export class Findings {
  readonly list: Finding[] = []
  private readonly of: { readonly gateway?: string }

  constructor(endpoint?: EndpointInfo) {
    this.of = endpoint === undefined ? {} : { gateway: endpoint.name }
  }

  good(id: CheckId, what: string): void {
    this.list.push({ id, level: 'ok', ...this.of, what, why: checks[id], mend: '' })
  }

  bad(id: CheckId, level: 'warn' | 'fail', what: string, mend: string): void {
    this.list.push({ id, level, ...this.of, what, why: checks[id], mend })
  }
}
