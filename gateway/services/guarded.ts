/** Handlers of the gateway's services, with what is the same for all: who may call, and what a caller hears of our own faults. */
import { isSottoError } from '#protocol/errors.ts'
import { ServiceFailure, type UnaryHandler } from '#protocol/services/service.ts'

/** For members alone; others hear `forbidden`. */
export function ofMembers(handler: UnaryHandler): UnaryHandler {
  return (args, caller) => {
    if (caller.role !== 'member') throw new ServiceFailure('forbidden')
    return handler(args, caller)
  }
}

/** A fault of ours (a full disk) is told to the operator; the caller hears `unavailable`. */
export function guarded(handler: UnaryHandler, onFault: ((error: unknown) => void) | undefined): UnaryHandler {
  return async (args, caller) => {
    try {
      return await handler(args, caller)
    } catch (error) {
      if (!isSottoError(error)) throw error
      onFault?.(error)
      throw new ServiceFailure('unavailable')
    }
  }
}
