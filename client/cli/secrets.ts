/** Text that must not stand in the process list: invite links come from a prompt, a file or a pipe, never from argv. */
import { SottoError } from '#protocol/errors.ts'

/** @throws SottoError E_SECRET_IN_ARGV */
export function refuseInArguments(args: readonly string[]): void {
  if (args.some((arg) => arg.startsWith('sotto://'))) {
    throw new SottoError(
      'E_SECRET_IN_ARGV',
      'an invite link on the command line can be read by everybody on this machine',
    )
  }
}
