/** `sotto files`: what people have sent each other, and where it is put. */
import type { Command } from 'commander'
import type { TransferView } from '#client/files/transfer.ts'
import { Member } from '#client/member.ts'
import { SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { nameOf } from './contact-names.ts'
import { REACH_MS } from './leaving.ts'
import { createOutput, type Output } from './report.ts'
import { describeTransfer, here, saveToFolder, saveToPath, transferNamed } from './transfers.ts'

interface Options {
  readonly json?: boolean
  readonly look?: string
}

/** Milliseconds for what goes on by itself: as long as it takes, while it moves. */
const FINISH_MS = 86_400_000

export function registerFiles(program: Command, add: AddCommand, ground: Ground): void {
  const files = program.command('files').description('Files that were sent, and that have come.')
  const run = new FileCommands(ground)
  add('list', 'Show them (where no verb is given).', files, true).action((options) => run.list(options))
  add('save', 'Fetch a file that somebody has sent, and put it where you say.', files)
    .argument('<id>', 'its first letters, as sotto files shows them')
    .option('--to <file>', 'a new file')
    .option('--into <folder>', 'a folder, under its own name')
    .action((id, options) => run.save(id, options))
  add('cancel', 'Stop a file, and remove what is kept of it.', files)
    .argument('<id>', 'its first letters, as sotto files shows them')
    .action((id, options) => run.cancel(id, options))
  add('finish', 'Go on with all that was cut short, until nothing moves any more.', files).action((options) =>
    run.finish(options),
  )
}

class FileCommands {
  private readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  async list(options: Options): Promise<void> {
    const output = this.output(options)
    await this.with(options, false, async (member) => {
      const views = member.files.list()
      if (views.length === 0) output.note('There are no files. Next: sotto send NAME --file FILE')
      for (const view of views) output.result(view, this.line(member, view))
    })
  }

  async save(id: string, options: Options & { readonly to?: string; readonly into?: string }): Promise<void> {
    const output = this.output(options)
    const { to, into } = options
    if ((to === undefined) === (into === undefined))
      throw new SottoError('E_USAGE', 'say where: --to FILE, or --into FOLDER')
    await this.with(options, true, async (member) => {
      const named = transferNamed(member.files.list(), id)
      const view = await here(member, named, (now) => output.note(describeTransfer(now)))
      if (view.state !== 'done') throw notHere(view)
      const path = await (to === undefined ? saveToFolder(member, view.id, into!) : saveToPath(member, view.id, to))
      output.result({ ...view, path }, `It is in ${path}.`)
      // The gateway forgets it.
      await member.files.settled(REACH_MS)
    })
  }

  async cancel(id: string, options: Options): Promise<void> {
    const output = this.output(options)
    await this.with(options, true, async (member) => {
      const view = transferNamed(member.files.list(), id)
      member.files.cancel(view.id)
      output.result({ cancelled: view.id }, 'Nothing of it is kept here any more.')
      await member.files.settled(REACH_MS)
    })
  }

  async finish(options: Options): Promise<void> {
    const output = this.output(options)
    await this.with(options, true, async (member) => {
      await member.reached(REACH_MS)
      member.files.onChange((view) => output.note(describeTransfer(view)))
      await member.files.settled(FINISH_MS)
      await member.settled(0, REACH_MS)
      for (const view of member.files.list()) output.result(view, this.line(member, view))
    })
  }

  private line(member: Member, view: TransferView): string {
    const contact = member.chat.contacts().find(({ id }) => id === view.contact)
    const who = contact === undefined ? 'somebody' : nameOf(contact)
    return `${describeTransfer(view)}  ${view.way === 'out' ? 'to' : 'from'} ${who}`
  }

  private output({ json }: Options): Output {
    return createOutput(json === true, this.ground.streams.stdout, this.ground.streams.stderr)
  }

  private async with(
    { look: template }: Options,
    online: boolean,
    work: (member: Member) => Promise<void>,
  ): Promise<void> {
    const member = await Member.open({ ...this.ground, template, online })
    try {
      await work(member)
    } finally {
      await member.close()
    }
  }
}

function notHere({ code, name }: TransferView): SottoError {
  if (code === undefined)
    return new SottoError('E_FILE_UNFINISHED', `${name} is not here yet.`, { kept: 'What has come of it is kept.' })
  const kept = code === 'E_FILE_DAMAGED' ? 'Nothing of it is shown.' : 'What has come of it is kept.'
  return new SottoError(code, `${name} could not be fetched.`, { kept })
}
