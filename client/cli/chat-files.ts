/** Files in the chat view: commands, and what is shown of them. */
import type { ContactView, FileView, MessageId, MessageView } from '#client/chat/events.ts'
import type { TransferView } from '#client/files/transfer.ts'
import type { Member } from '#client/member.ts'
import { fromBase64url } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import {
  describeMetadata,
  describeTransfer,
  here,
  inFolder,
  saveToFolder,
  sendFile,
  transferNamed,
} from './transfers.ts'

export interface ChatFilesInput {
  readonly member: Member
  /** The folder that the person shares; undefined for none. */
  readonly folder: string | undefined
  readonly print: (text: string) => void
  readonly printError: (error: unknown) => void
  readonly current: () => ContactView | undefined
  /** A message of ours says now that a file is there. */
  readonly told: (message: MessageId) => void
}

export class ChatFiles {
  private readonly input: ChatFilesInput

  constructor(input: ChatFilesInput) {
    this.input = input
    input.member.files.onChange((view) => this.onChange(view))
  }

  /** @throws SottoError E_FILE_FOLDER, and as `sendFile` */
  async send(name: string): Promise<void> {
    const { member, print } = this.input
    const folder = this.folder()
    const contact = this.input.current()
    if (contact === undefined) return print('Say first to whom: /to NAME.')
    if (name === '') return print(`/send takes a file in ${folder}.`)
    const how = { noStore: false, keepMetadata: false }
    const { metadata } = await sendFile(member, contact.id, inFolder(folder, name), how)
    const warning = describeMetadata(metadata)
    if (warning !== undefined) print(`   ${warning}`)
  }

  list(): void {
    const own = this.ofCurrent()
    if (own.length === 0) this.input.print('There are no files here. /send FILE')
    for (const view of own) this.input.print(`  ${describeTransfer(view)}`)
  }

  /** The last of theirs where nothing is named. @throws SottoError E_FILE_FOLDER, E_FILE_UNKNOWN */
  save(id: string): void {
    const { member, print, printError } = this.input
    const folder = this.folder()
    const view = this.named(id, ({ way }) => way === 'in')
    if (view === undefined) return print('They have sent no file. /files')
    const work = async (): Promise<void> => {
      const { state, code, name } = await here(member, view, () => {})
      if (state === 'done') return print(`   ${name} is in ${await saveToFolder(member, view.id, folder)}`)
      if (code !== undefined) throw new SottoError(code, `${name} could not be fetched.`)
    }
    void work().catch(printError)
  }

  /** The last one where nothing is named. @throws SottoError E_FILE_UNKNOWN */
  cancel(id: string): void {
    const { member, print } = this.input
    const view = this.named(id, () => true)
    if (view === undefined) return print('There is no file to cancel. /files')
    member.files.cancel(view.id)
    print(`   nothing of ${view.name} is kept any more`)
  }

  private named(id: string, which: (view: TransferView) => boolean): TransferView | undefined {
    const own = this.ofCurrent().filter(which)
    return id === '' ? own.at(-1) : transferNamed(own, id)
  }

  private ofCurrent(): TransferView[] {
    const current = this.input.current()
    return this.input.member.files.list().filter(({ contact }) => contact === current?.id)
  }

  private folder(): string {
    if (this.input.folder !== undefined) return this.input.folder
    throw new SottoError('E_FILE_FOLDER', 'There is no folder for files.')
  }

  /** Ours is shown as a message once they are told of it. */
  private onChange(view: TransferView): void {
    const { current, print, told } = this.input
    if (view.contact !== current()?.id || view.state === 'offered') return
    if (view.way === 'out' && view.state === 'done') told(view.message!)
    else print(`   ${describeTransfer(view)}`)
  }
}

/** Two pixels in one character: the upper one its colour, the lower one what is behind it. */
const HALF = '\u2580'
const WHITE = [255, 255, 255]

/** A picture in the colours of the terminal, one line for two rows of pixels. */
export function drawn({ width, height, pixels }: NonNullable<FileView['picture']>): string[] {
  const octets = fromBase64url(pixels) ?? new Uint8Array(0)
  const colour = (x: number, y: number): string => {
    const at = (y * width + x) * 3
    const rgb = y < height && at + 3 <= octets.length ? [...octets.subarray(at, at + 3)] : WHITE
    return rgb.join(';')
  }
  return Array.from({ length: Math.ceil(height / 2) }, (_, row) => {
    const cells = Array.from({ length: width }, (__, x) => {
      return `\u001b[38;2;${colour(x, row * 2)}m\u001b[48;2;${colour(x, row * 2 + 1)}m${HALF}`
    })
    return `${cells.join('')}\u001b[0m`
  })
}

/** What stands below the line of a message that is a picture. */
export function pictureLines(message: MessageView, hasColours: boolean): string {
  const picture = message.file?.picture
  if (picture === undefined || !hasColours) return ''
  return drawn(picture)
    .map((line) => `\n      ${line}`)
    .join('')
}
