/** `sotto chat`: a conversation, on a terminal or in lines of JSON. */
import { writeSync } from 'node:fs'
import { Option } from 'commander'
import type { MessageView } from '#client/chat/events.ts'
import { runChatView } from './chat-view.ts'
import type { AddCommand, Ground } from './commands.ts'
import { type Options, withMember } from './with-member.ts'

export function registerChat(add: AddCommand, ground: Ground): void {
  add('chat', 'Talk: a conversation on this terminal, or with --json lines of JSON in and out.')
    .argument('[name]')
    .option('--files <folder>', 'files are sent from there, and saved there')
    .addOption(new Option('--events-fd <number>', 'what is said also goes to this descriptor, as lines of JSON'))
    .action((name, options) => chat(ground, name, options))
}

async function chat(
  ground: Ground,
  name: string | undefined,
  options: Options & { eventsFd?: string; files?: string },
): Promise<void> {
  const { stdin: input, stdout: output } = ground.streams
  const said = mirrorTo(options.eventsFd)
  // Before the state is opened: nothing may happen in it that nobody hears of.
  const lines = options.json ? await import('./line-protocol.ts') : undefined
  await withMember(ground, { ...options, online: true }, async (member) => {
    const { files: folder } = options
    if (lines !== undefined) await lines.runLineProtocol({ member, input, output, folder })
    else await runChatView({ member, input, output, to: name, said, folder })
  })
}

/** A program that started us may want to know what is said; the launcher has checked the number. */
function mirrorTo(descriptor: string | undefined): (message: MessageView) => void {
  if (descriptor === undefined) return () => {}
  return (message) => void writeSync(Number(descriptor), `${JSON.stringify({ type: 'message', message })}\n`)
}
