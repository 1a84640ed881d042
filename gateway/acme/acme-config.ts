/** The field `acme` of gateway.yaml. */
import { resolve } from 'node:path'
import * as v from 'valibot'
import type { HostPort } from '../config-fields.ts'
import { hostPort, path, pattern } from '../config-fields.ts'
import { DEFAULT_DIRECTORY } from './order.ts'

/** How the gateway gets its certificate itself (RFC 8555). */
export interface AcmeConfig {
  /** URL of the authority's directory. */
  readonly directory: string
  /** So that the authority can write to the operator. */
  readonly email: string | undefined
  /** Where the authority finds its proofs: port 80 of the domain, from outside. */
  readonly http: { readonly host: string; readonly port: number }
  /** Absolute path: PEM of the authority's own root, where it is no public one. */
  readonly authority: string | undefined
}

interface Fields {
  readonly directory: string
  readonly email?: string | undefined
  readonly http: HostPort
  readonly authority?: string | undefined
}

export const acmeFields: v.GenericSchema<object, Fields> = v.strictObject(
  {
    directory: v.optional(
      v.pipe(
        v.string('an https URL'),
        v.check((text) => URL.canParse(text) && new URL(text).protocol === 'https:', 'an https URL'),
      ),
      DEFAULT_DIRECTORY,
    ),
    email: v.optional(pattern(/^[^\s@]{1,64}@[^\s@]{1,190}$/, 'an e-mail address')),
    http: v.optional(
      hostPort(() => true, 'host:port, for example 0.0.0.0:80'),
      '0.0.0.0:80',
    ),
    authority: v.optional(path),
  },
  'fields like email',
)

export const acmeOf = ({ directory, email, http, authority }: Fields, folder: string): AcmeConfig => ({
  ...{ directory, email, http },
  authority: authority === undefined ? undefined : resolve(folder, authority),
})
