/** Pictures that people show, in the chat view. */

import type { ContactView } from '#client/chat/events.ts'
import { saveInto } from '#client/files/save.ts'
import type { Member } from '#client/member.ts'
import { SottoError } from '#protocol/errors.ts'
import { avatarLines, describeAvatar, describeTheirs } from './avatar-view.ts'
import { nameOf } from './contact-names.ts'
import { faceAt, noAvatar } from './profile.ts'
import { sanitize } from './sanitize.ts'
import { inFolder } from './transfers.ts'

export const AVATAR_HELP: readonly (readonly [string, string])[] = [
  ['/avatar', 'the picture that they show; /avatar save puts it into the folder for files'],
  ['/avatar FILE', 'show a picture of that folder to your contacts; /avatar off shows none'],
]

export interface ChatAvatarInput {
  readonly member: Member
  /** The folder that the person shares; undefined for none. */
  readonly folder: string | undefined
  readonly print: (text: string) => void
  readonly printError: (error: unknown) => void
  readonly hasColours: boolean
}

export class ChatAvatar {
  private readonly input: ChatAvatarInput

  constructor(input: ChatAvatarInput) {
    this.input = input
  }

  /** The person looks at this conversation: the chat goes on whatever comes of it. */
  look({ id, status }: ContactView): void {
    try {
      if (status === 'accepted') this.input.member.chat.avatars.look(id)
    } catch (error) {
      this.input.printError(error)
    }
  }

  /** Something about whom the person talks to is other than before. */
  changed(before: ContactView, now: ContactView): void {
    if (now.avatar !== before.avatar || now.status !== before.status) this.look(now)
    if (now.avatarHere && !before.avatarHere) this.input.print(`   ${nameOf(now)} shows a picture: /avatar`)
  }

  /** @throws SottoError E_FILE_FOLDER, E_AVATAR, E_AVATAR_NONE, E_FILE, E_DISK_FULL */
  async command(argument: string, current: ContactView | undefined): Promise<void> {
    const { member, print } = this.input
    if (argument === '') return this.show(current)
    if (argument === 'save') return await this.save(current)
    if (argument === 'off') {
      member.chat.avatars.remove()
      print('You show no picture any more.')
    } else {
      const path = inFolder(this.folder(), argument)
      const own = member.chat.avatars.set(await faceAt(path))
      print(`You show a ${describeAvatar(own)}${avatarLines(own, this.input.hasColours)}`)
    }
    void member.finding.refresh().catch(() => {})
  }

  private show(current: ContactView | undefined): void {
    const { member, print, hasColours } = this.input
    const { avatars, me } = member.chat
    const shown = current === undefined ? avatars.own() : avatars.of(current.id)
    const who = current === undefined ? sanitize(me.name) : nameOf(current)
    const own = shown === undefined ? 'no picture' : describeAvatar(shown)
    const text = current === undefined ? own : describeTheirs(current.avatar, shown)
    print(`${who}: ${text}${shown === undefined ? '' : avatarLines(shown, hasColours)}`)
  }

  private async save(current: ContactView | undefined): Promise<void> {
    const folder = this.folder()
    const { chat, folder: core } = this.input.member
    const avatar = current === undefined ? chat.avatars.own() : chat.avatars.of(current.id)
    if (avatar === undefined) throw noAvatar(current)
    const path = await saveInto({ folder, core }, 'picture.jpg', once(avatar.jpeg))
    this.input.print(`   it is in ${path}`)
  }

  private folder(): string {
    if (this.input.folder !== undefined) return this.input.folder
    throw new SottoError('E_FILE_FOLDER', 'There is no folder for files.')
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
