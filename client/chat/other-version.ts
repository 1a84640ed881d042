/** Programs that cannot read each other: which of the two is the older one, as far as their ways to start tell. */
import { SottoError } from '#protocol/errors.ts'
import { Way } from './start.ts'

/** Of what is said in sessions: one for each pair of ways, from a card and from a shelf. */
const versionOf = (way: number): number => Math.ceil(way / 2)

/** @param starts ways that they offer, ascending @param kept what was kept */
export function otherVersion(name: string, starts: Uint8Array, kept: string): SottoError {
  const [ours, theirs] = [versionOf(Way.bundle), versionOf(starts.at(-1)!)]
  const what = `Sotto speaks version ${ours} here, and version ${theirs} where ${name} is: both sides need version ${Math.max(ours, theirs)}.`
  const next = theirs < ours ? `Ask ${name} to update Sotto.` : 'Update Sotto here.'
  return new SottoError('E_CHAT_VERSION', what, { kept, next })
}
