/** `sotto profile`: the name and the picture that contacts see of us, and the pictures that they show. */
import type { Command } from 'commander'
import { writeNew } from '#client/backup/files.ts'
import type { Avatar, Face } from '#client/chat/avatars/avatar.ts'
import type { ContactView } from '#client/chat/events.ts'
import { Member } from '#client/member.ts'
import { SottoError } from '#protocol/errors.ts'
import { avatarJson, avatarLines, describeAvatar, describeTheirs } from './avatar-view.ts'
import type { AddCommand, Ground } from './commands.ts'
import { contactNamed, nameOf } from './contact-names.ts'
import { REACH_MS } from './leaving.ts'
import { createOutput, type Output } from './report.ts'
import { sanitize } from './sanitize.ts'
import { hasColours } from './terminal.ts'

interface Options {
  readonly json?: boolean
  readonly look?: string
}

/** Milliseconds for what contacts are told to leave; the rest goes out the next time. */
const SETTLE_MS = 10_000
/** Milliseconds to wait for a picture from somebody who is there, and to hear that they show one. */
const FETCH_MS = 30_000
const NEWS_MS = 3_000

export function registerProfile(program: Command, add: AddCommand, ground: Ground): void {
  const profile = program.command('profile').description('What your contacts see of you, and the pictures they show.')
  const run = new ProfileCommands(ground)
  add('show', 'Show your name and picture, or the picture of a contact (where no verb is given).', profile, true)
    .argument('[name]', 'whose; your own where nobody is named')
    .action((name, options) => run.show(name, options))
  add('name', 'Be called something else from now on.', profile)
    .argument('<name>')
    .action((name, options) => run.rename(name, options))
  add(
    'avatar',
    'Show a picture to your contacts: PNG or JPEG; the middle of it is taken, and nothing it tells.',
    profile,
  )
    .argument('[file]')
    .option('--remove', 'show none any more; what contacts have of it is removed')
    .action((file, options) => run.avatar(file, options))
  add('fetch', 'Ask a contact for their picture, and wait a while for it.', profile)
    .argument('<name>')
    .action((name, options) => run.fetch(name, options))
  add('save', 'Write the picture of a contact, or your own, into a new file, as JPEG.', profile)
    .argument('[name]', 'whose; your own where nobody is named')
    .requiredOption('--to <file>', 'a new file')
    .action((name, options) => run.save(name, options))
}

class ProfileCommands {
  private readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  async show(name: string | undefined, options: Options): Promise<void> {
    await this.with(options, false, async ({ chat }, output) => {
      if (name !== undefined) return this.showTheirs(contactNamed(chat.contacts(), name), chat.avatars, output)
      const own = chat.avatars.own()
      const value = { ...chat.me, ...(own && { avatar: avatarJson(own) }) }
      const text = own === undefined ? 'no picture' : describeAvatar(own)
      output.result(value, `${sanitize(chat.me.name)}: ${text}${this.lines(own)}`)
    })
  }

  private showTheirs(contact: ContactView, avatars: Member['chat']['avatars'], output: Output): void {
    const here = avatars.of(contact.id)
    const value = { contact: contact.id, name: nameOf(contact), named: contact.avatar ?? null }
    const text = `${nameOf(contact)}: ${describeTheirs(contact.avatar, here)}${this.lines(here)}`
    output.result({ ...value, ...(here && { avatar: avatarJson(here) }) }, text)
  }

  async rename(name: string, options: Options): Promise<void> {
    await this.with(options, true, async (member, output) => {
      member.chat.setName(name)
      output.result(member.chat.me, `You are called ${sanitize(name)} now.`)
      await this.told(member, output)
    })
  }

  async avatar(path: string | undefined, options: Options & { readonly remove?: boolean }): Promise<void> {
    if ((path === undefined) === (options.remove !== true))
      throw new SottoError('E_USAGE', 'name a file, or say --remove')
    // Decoding takes a second, and what cannot be shown is told before anything is begun.
    const face = path === undefined ? undefined : await faceAt(path)
    await this.with(options, true, async (member, output) => {
      const { avatars } = member.chat
      if (face === undefined) {
        avatars.remove()
        output.result({ avatar: null }, 'You show no picture any more.')
      } else {
        const own = avatars.set(face)
        output.result({ avatar: avatarJson(own) }, `You show a ${describeAvatar(own)}${this.lines(own)}`)
      }
      await this.told(member, output)
    })
  }

  /** Contacts and trackers hear of it, as far as they are reached now. */
  private async told(member: Member, output: Output): Promise<void> {
    try {
      await member.reached(REACH_MS)
      await member.settled(0, SETTLE_MS)
    } catch {
      output.note('No gateway is reached now. Your contacts hear of it when Sotto is next connected.')
    }
  }

  async fetch(name: string, options: Options): Promise<void> {
    await this.with(options, true, async (member, output) => {
      const { chat } = member
      const contact = contactNamed(chat.contacts(), name)
      if (contact.status !== 'accepted') throw new SottoError('E_CHAT_BLOCKED', 'This contact is not accepted.')
      const view = (): ContactView => chat.contact(contact.id)
      const isHere = (): boolean => view().avatarHere === true
      await member.reached(REACH_MS)
      await this.until(member, contact.id, NEWS_MS, () => view().avatar !== undefined)
      if (view().avatar !== undefined) await this.until(member, contact.id, FETCH_MS, isHere)
      this.showTheirs(view(), chat.avatars, output)
      if (view().avatar !== undefined && !isHere())
        output.note(`${nameOf(contact)} has been asked, and it comes once their Sotto runs.`)
      await member.settled(0, SETTLE_MS)
    })
  }

  /** Asks for what they show, also where that changes; resolves once it is so, or after so many milliseconds. */
  private until({ chat }: Member, id: string, ms: number, isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        unlisten()
        resolve()
      }
      const look = (): void => {
        chat.avatars.look(id)
        if (isSo()) done()
      }
      const cancel = this.ground.clockwork.after(ms, done)
      const unlisten = chat.onEvent((event) => {
        if (event.type === 'contact' && event.contact.id === id) look()
      })
      look()
    })
  }

  async save(name: string | undefined, options: Options & { readonly to: string }): Promise<void> {
    await this.with(options, false, async ({ chat, folder }, output) => {
      const contact = name === undefined ? undefined : contactNamed(chat.contacts(), name)
      const avatar = contact === undefined ? chat.avatars.own() : chat.avatars.of(contact.id)
      if (avatar === undefined) throw noAvatar(contact)
      writeNew(options.to, avatar.jpeg, folder)
      output.result({ path: options.to, ...avatarJson(avatar) }, `It is in ${options.to}.`)
    })
  }

  private lines(avatar: Avatar | undefined): string {
    return avatar === undefined ? '' : avatarLines(avatar, hasColours(this.ground.streams.stdout))
  }

  private async with(
    { json, look: template }: Options,
    online: boolean,
    work: (member: Member, output: Output) => void | Promise<void>,
  ): Promise<void> {
    const output = createOutput(json === true, this.ground.streams.stdout, this.ground.streams.stderr)
    const member = await Member.open({ ...this.ground, template, online })
    try {
      await work(member, output)
    } finally {
      await member.close()
    }
  }
}

/** Decoders are loaded where they are wanted. @throws SottoError E_FILE, E_AVATAR */
export async function faceAt(path: string): Promise<Face> {
  const { faceOf } = await import('#client/files/pictures/face.ts')
  return faceOf(path)
}

/** There is none to be written. */
export function noAvatar(contact: ContactView | undefined): SottoError {
  if (contact === undefined) return new SottoError('E_AVATAR_NONE', 'You show no picture.')
  const what = contact.avatar === undefined ? 'shows no picture' : 'shows a picture that is not here yet'
  return new SottoError('E_AVATAR_NONE', `${nameOf(contact)} ${what}.`)
}
