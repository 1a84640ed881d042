/** The service by which members ask for their pack, fetch it, and say what became of it. Spec section 9.2. */
import { PACK_HASH_LENGTH } from '#protocol/pack.ts'
import type { Service } from '#protocol/services/service.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import type { LivePacks } from '../packs/live.ts'
import type { Outcome } from '../packs/reports.ts'

/** Octets of one piece. Four of them stay below what one bulk parcel of the usual templates carries. */
export const PIECE = 32_768

export function packService(live: Pick<LivePacks, 'pointerFor' | 'body' | 'report'>): Service {
  return {
    unary: {
      'packs.pointer': (args, { member }) => {
        fields(args, {})
        const { stage = 0, ttl = 0, hash = new Uint8Array(0) } = live.pointerFor(member) ?? {}
        return { stage, ttl, hash }
      },
      'packs.fetch': (args) => {
        const { hash, offset } = fields<{ hash: Uint8Array; offset: number }>(args, { hash: isHash, offset: isOffset })
        const body = live.body(hash)
        if (body === undefined) throw new ServiceFailure('unknown')
        return { length: body.length, data: body.slice(offset, offset + PIECE) }
      },
      'packs.report': (args, { member }) => {
        const { hash, outcome } = fields<{ hash: Uint8Array; outcome: Outcome }>(args, {
          hash: isHash,
          outcome: (value) => value === 'applied' || value === 'failed',
        })
        live.report(member, hash, outcome)
        return {}
      },
    },
    subscribe: {},
  }
}

type Checks = Readonly<Record<string, (value: unknown) => boolean>>

/** @throws ServiceFailure `invalid` where the arguments are not exactly these */
function fields<T>(args: unknown, checks: Checks): T {
  const value = (typeof args === 'object' && args !== null ? args : {}) as Record<string, unknown>
  const known = Object.keys(value).every((key) => Object.hasOwn(checks, key))
  const good = Object.entries(checks).every(([key, check]) => check(value[key]))
  if (!known || !good) throw new ServiceFailure('invalid')
  return value as T
}

const isHash = (value: unknown): boolean => value instanceof Uint8Array && value.length === PACK_HASH_LENGTH
const isOffset = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
