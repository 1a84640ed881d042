/**
 * `join`: the invite is read here, by the process that keeps the allow-list, before the core runs. So what is joined is what
 * the person or the script gave, and never what a hostile core made up; and the core does not see the link.
 */
import { INVITE_PREFIX } from '#protocol/invite.ts'
import type { LocalBroker } from './local-broker.ts'
import { hasFlag } from './options.ts'
import { readText } from './prompt.ts'

export interface Console {
  readonly stdin: NodeJS.ReadStream
  readonly stderr: NodeJS.WritableStream
}

/** True where the command line will join: no question for its help, and no link where everybody can read it. */
export function wantsToJoin(args: readonly string[]): boolean {
  const other = args.some((arg) => arg === '--help' || arg === '-h' || arg.startsWith(INVITE_PREFIX))
  return args[0] === 'join' && !other
}

/** What the person says that the link is of. */
export const invitedKind = (args: readonly string[]): 'gateway' | 'node' =>
  hasFlag(args, '--node') ? 'node' : 'gateway'

/** Reads the link and has it admitted. How that went, `joined` of the broker tells the core, which tells the person. */
export async function join(broker: LocalBroker, kind: 'gateway' | 'node', { stdin, stderr }: Console): Promise<void> {
  const link = await readText('Invite link: ', stdin, stderr)
  await broker.admitInvite(link, kind).catch(() => undefined)
}
