/** How a service reads what its callers say: whatever is not as it has to be is refused as `invalid`, without detail. */
import * as v from 'valibot'
import { ServiceFailure } from '#protocol/services/service.ts'

/** @throws ServiceFailure `invalid` */
export type Parser<T> = (args: unknown) => T

export function parser<T>(schema: v.GenericSchema<unknown, T>): Parser<T> {
  return (args) => {
    const result = v.safeParse(schema, args, { abortEarly: true })
    if (!result.success) throw new ServiceFailure('invalid')
    return result.output
  }
}

/** Octets of `least` to `most` in number. */
export const octets = (least: number, most: number = least): v.GenericSchema<Uint8Array> =>
  v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length >= least && value.length <= most)
