/** `sotto join`: the launcher has taken the invite in, before this; here its gateway is asked. */
import { ask } from '#firewall/prompt.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { REACH_MS } from './leaving.ts'
import { type Output, outputFor } from './report.ts'
import { sanitize } from './sanitize.ts'
import { type Options, withMember } from './with-member.ts'

export function registerJoin(add: AddCommand, ground: Ground): void {
  add('join', 'Join a gateway with an invite; the link is asked for, or read from standard input.')
    .option('--name <name>', 'what your contacts see (asked for where it is missing)')
    .option('--node', 'the link is of your own node: sotto node link')
    .action((options) => join(ground, options))
}

async function join(ground: Ground, options: Options & { name?: string; node?: boolean }): Promise<void> {
  const { stdin, stderr } = ground.streams
  const output = outputFor(options, ground.streams)
  const endpoints = await ground.broker.joined()
  if (options.node) return await joinNode(ground, options, output)
  const newName =
    options.name ?? (stdin.isTTY ? await ask('What shall your contacts call you? ', stdin, stderr) : 'someone')
  await withMember(ground, { ...options, online: true, newName }, async (member) => {
    await member.reached(REACH_MS).catch((error: unknown) => {
      throw withInviteKept(error)
    })
    const [{ name: place } = { name: '' }] = endpoints
    const joined = endpoints.map(({ name, host }) => ({ name, host }))
    output.result({ joined, me: member.chat.me }, `You have joined ${sanitize(place)}.`)
    output.note(
      'Next: sotto card shows your card to give away, sotto contacts add takes in another’s, sotto chat talks.',
    )
  })
}

/** Our own node, beside the gateways. */
async function joinNode(ground: Ground, options: Options, output: Output): Promise<void> {
  await withMember(ground, { ...options, online: true }, async (member) => {
    await member.peers?.reached(REACH_MS).catch((error: unknown) => {
      throw withInviteKept(error)
    })
    output.result({ joined: true, me: member.chat.me }, 'You have joined your own node.')
    output.note('Next: sotto peer offer NAME tells a contact of it, if you wish.')
  })
}

/** The invite was taken in before its gateway was asked. */
function withInviteKept(error: unknown): unknown {
  if (!isSottoError(error)) return error
  const kept = 'The invite is kept: sotto chat, or sotto join with the same link, goes on from here.'
  return new SottoError(error.code, error.message, { kept, next: error.next, cause: error })
}
