/** `sotto identity`: who one is, and the backup of it. Nothing here needs the network. */
import type { Command } from 'commander'
import { Option } from 'commander'
import { Profile, sealBackup } from '#client/backup/container.ts'
import { newDongle } from '#client/backup/dongle.ts'
import { writeAllNew, writeNew } from '#client/backup/files.ts'
import { toLetters } from '#client/backup/letters.ts'
import { base32 } from '#client/chat/base32.ts'
import type { Backup } from '#client/chat/chat.ts'
import { ChatLimits } from '#client/chat/limits.ts'
import { Member } from '#client/member.ts'
import { codeFiles } from '#firewall/file-grants.ts'
import { ask } from '#firewall/prompt.ts'
import { madeKeyFile } from '#firewall/security-key/answer.ts'
import { concat, fromHex, utf8, wipe } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { type NewUnlockOptions, newUnlock, openedBackup, type SourceOptions } from './backup-source.ts'
import type { AddCommand, Ground } from './commands.ts'
import { createOutput, type Output } from './report.ts'
import { sanitize } from './sanitize.ts'

interface Options {
  readonly json?: boolean
}

interface DongleOptions extends Options {
  readonly fido2?: boolean
}

interface BackupOptions extends Options, NewUnlockOptions {
  readonly file?: string
  readonly codes?: string
  readonly twoOfThree?: boolean
  readonly strong?: boolean
}

interface NameOptions extends Options {
  readonly name?: string
}

interface ReadOptions extends SourceOptions, NameOptions {}

interface RestoreOptions extends ReadOptions {
  readonly updates: string
}

/** Loaded where they are wanted: every start would wait for what draws and reads pictures. */
const forms = {
  codes: (): Promise<typeof import('#client/backup/codes.ts')> => import('#client/backup/codes.ts'),
  parts: (): Promise<typeof import('#client/backup/parts.ts')> => import('#client/backup/parts.ts'),
  read: (): Promise<typeof import('#client/backup/read.ts')> => import('#client/backup/read.ts'),
}

/** `add`: makes a command with the options that all have. */
export function registerIdentity(program: Command, add: AddCommand, ground: Ground): void {
  // Without options of its own: what stands behind a verb is the verb's.
  const identity = program
    .command('identity')
    .description('Show who you are; make, back up, prove and restore your identity.')
  const run = new IdentityCommands(ground)
  const dongle = (): Option =>
    new Option('--dongle <file>', 'key file, or file of a security key, that is needed to open it')
  // The launcher reads it.
  const device = (): Option => new Option('--device <path>', 'where several security keys are plugged in: which one')
  const files = (): Option =>
    new Option('--file <file>', 'text or PNG of a code; may be given several times').argParser(
      (value: string, before: string[] | undefined) => [...(before ?? []), value],
    )
  add('show', 'Show your name and id, and whether there is a backup (where no verb is given).', identity, true).action(
    (options) => run.show(options),
  )
  add('new', 'Make an identity before you join anywhere.', identity)
    .option('--name <name>', 'what your contacts see (asked for where it is missing)')
    .action((options) => run.make(options))
  add('backup', 'Print a backup to keep on paper, or write it to files.', identity)
    .option('--file <file>', 'write it to a new file')
    .option('--codes <folder>', 'three QR codes as new PNG files in this folder; without it they are drawn here')
    .option('--two-of-three', 'any two of the three codes are enough, and one alone says nothing')
    .addOption(dongle())
    .addOption(device())
    .option('--no-password', 'the dongle alone opens it')
    .option('--strong', 'four times the memory for who guesses passwords, and four times the time for you')
    .action((options) => run.backup(options))
  add('prove', 'Read a backup back; then the master secret is removed from this device.', identity)
    .addOption(files())
    .addOption(dongle())
    .addOption(device())
    .action((options) => run.prove(options))
  add(
    'rotate',
    'After a leak: new keys, from a backup. Your contacts are told, and are to compare the digits again.',
    identity,
  )
    .addOption(files())
    .addOption(dongle())
    .addOption(device())
    .action((options) => run.rotate(options))
  add('restore', 'Become who a backup says, in an empty state folder.', identity)
    .addOption(files())
    .addOption(dongle())
    .addOption(device())
    .option('--name <name>', 'what your contacts see (asked for where it is missing)')
    .option('--updates <count>', 'how often the keys were rotated since the backup was made', '0')
    .action((options) => run.restore(options))
  add('dongle', 'Make a dongle: a key file for a stick of its own, or the file of a security key.', identity)
    .argument('<file>')
    .option('--fido2', 'a security key (FIDO2 with hmac-secret) is the dongle; the file says how to ask it')
    .addOption(device())
    .action((path, options) => run.dongle(path, options))
}

class IdentityCommands {
  private readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  private output({ json }: Options): Output {
    return createOutput(json === true, this.ground.streams.stdout, this.ground.streams.stderr)
  }

  async show(options: Options): Promise<void> {
    const output = this.output(options)
    await this.with(async ({ chat }) => {
      const { id: hexId, name } = chat.me
      const id = shownId(fromHex(hexId)!)
      const master = chat.masterSecret()
      const backedUp = master === undefined
      wipe(...(master === undefined ? [] : [master]))
      const { updates } = chat
      const rotated = updates === 0 ? '' : `\nkeys rotated: ${updates}`
      output.result({ id, uid: hexId, name, backedUp, updates }, `${sanitize(name)}\n${id}${rotated}`)
      if (!backedUp) output.note('There is no backup that was proven. Next: sotto identity backup')
    })
  }

  async backup(options: BackupOptions): Promise<void> {
    const output = this.output(options)
    if (options.file !== undefined && (options.codes !== undefined || options.twoOfThree)) {
      throw new SottoError(
        'E_USAGE',
        'A backup is either a file (--file) or codes (--codes, --two-of-three): make two for both.',
      )
    }
    await this.with(async ({ chat }) => {
      const master = chat.masterSecret()
      if (master === undefined) throw backedUp()
      try {
        const unlock = await newUnlock(options, this.ground.streams)
        const profile = options.strong ? Profile.argon2idStrong : Profile.argon2id
        const container = sealBackup(master, unlock, profile, randomBytes)
        await this.hand(container, options, output)
        output.note('Next: sotto identity prove reads it back, so that you know it opens.')
      } finally {
        wipe(master)
      }
    })
  }

  /** As a file, as codes, or as letters on the screen. */
  private async hand(container: Uint8Array, options: BackupOptions, output: Output): Promise<void> {
    const { file, codes, twoOfThree } = options
    if (file !== undefined) {
      const { backupFile } = await forms.read()
      writeNew(file, backupFile(container), this.ground.folder)
      return output.result({ file }, `The backup is in ${file}.`)
    }
    if (codes === undefined && !twoOfThree) {
      const letters = toLetters(container)
      return output.result({ letters: letters.split('\n') }, letters)
    }
    const { toParts } = await forms.parts()
    const { codeImage, drawnCode } = await forms.codes()
    const parts = await toParts(container, twoOfThree ? 'two' : 'all')
    if (codes === undefined) {
      const drawn = parts.map((part, i) => `Part ${i + 1} of 3\n${drawnCode(part)}\n${part}\n`)
      return output.result({ parts }, drawn.join('\n'))
    }
    const names = codeFiles(codes)
    writeAllNew(
      names.map((name, i) => [name, codeImage(parts[i]!)]),
      this.ground.folder,
    )
    output.result({ files: names }, names.join('\n'))
  }

  async prove(options: ReadOptions): Promise<void> {
    const output = this.output(options)
    await this.with(async ({ chat }) => {
      const master = await openedBackup(options, this.ground.streams)
      const isOurs = chat.proveBackup(master)
      wipe(master)
      if (!isOurs) throw otherIdentity()
      output.result({ proven: true }, 'The backup opens, and it is yours. This device has forgotten the master secret.')
    })
  }

  async make(options: NameOptions): Promise<void> {
    const output = this.output(options)
    await this.requireEmpty()
    await this.begin(await this.nameOf(options), output)
    output.note('Next: sotto identity backup, and sotto join with an invite.')
  }

  async rotate(options: ReadOptions): Promise<void> {
    const output = this.output(options)
    await this.with(async ({ chat }) => {
      const master = await openedBackup(options, this.ground.streams)
      const before = chat.updates
      const isOurs = chat.updateKeys(master)
      wipe(master)
      if (!isOurs) throw otherIdentity()
      const updates = before + 1
      output.result({ updates }, `You have new keys. This is update ${updates}: write the number on your backup.`)
      output.note(
        'Next: sotto chat tells your contacts. Compare the 60 digits with them again, and give out a new card.',
      )
    })
  }

  async restore(options: RestoreOptions): Promise<void> {
    const output = this.output(options)
    const updates = Number(options.updates)
    if (!Number.isInteger(updates) || updates < 0 || updates >= ChatLimits.documents) {
      throw new SottoError('E_USAGE', `--updates takes a whole number from 0 to ${ChatLimits.documents - 1}`)
    }
    await this.requireEmpty()
    const master = await openedBackup(options, this.ground.streams)
    try {
      await this.begin(await this.nameOf(options), output, { master, updates })
      output.note('Contacts and messages are not in a backup of an identity. Next: sotto join with an invite.')
    } finally {
      wipe(master)
    }
  }

  private async nameOf({ name }: NameOptions): Promise<string> {
    const { stdin, stderr } = this.ground.streams
    return name ?? (stdin.isTTY ? await ask('What shall your contacts call you? ', stdin, stderr) : 'someone')
  }

  /** Makes the identity of a backup, or a new one, and shows it. */
  private async begin(newName: string, output: Output, backup?: Backup): Promise<void> {
    const given = backup === undefined ? {} : { backup }
    const member = await Member.open({ ...this.ground, template: undefined, online: false, newName, ...given })
    try {
      const { id, name } = member.chat.me
      const shown = shownId(fromHex(id)!)
      output.result({ id: shown, uid: id, name }, `You are ${sanitize(name)}\n${shown}`)
    } finally {
      await member.close()
    }
  }

  async dongle(path: string, options: DongleOptions): Promise<void> {
    const output = this.output(options)
    if (options.fido2) {
      writeNew(path, madeKeyFile(), this.ground.folder)
      output.result({ file: path, fido2: true }, `The security key is a dongle now. Its file is ${path}.`)
      return output.note(
        'A backup opens with the key and this file: keep copies of the file. Without the key it opens nothing.',
      )
    }
    writeNew(path, newDongle(randomBytes), this.ground.folder)
    output.result({ file: path }, `The dongle is ${path}.`)
    output.note('Keep it on a stick of its own. Who loses it loses every backup that asks for it.')
  }

  /** An identity that is there is never overwritten. */
  private async requireEmpty(): Promise<void> {
    const exists = await this.with(async () => true).catch((error: unknown) => {
      if (isSottoError(error, 'E_NOT_JOINED')) return false
      throw error
    })
    if (exists) throw new SottoError('E_IDENTITY_EXISTS', 'There is an identity in this state folder already.')
  }

  private async with<T>(work: (member: Member) => Promise<T>): Promise<T> {
    const member = await Member.open({ ...this.ground, template: undefined, online: false })
    try {
      return await work(member)
    } finally {
      await member.close()
    }
  }
}

/** 52 letters and 4 that check them, in groups of four. */
function shownId(uid: Uint8Array): string {
  const letters = base32(uid)
  const check = base32(sha256(concat(utf8('sotto/1/uid'), uid))).slice(0, 4)
  return `${letters}${check}`.match(/.{4}/g)!.join(' ')
}

const otherIdentity = (): SottoError =>
  new SottoError('E_BACKUP_OTHER', 'The backup opens, and is of another identity than this one.')

const backedUp = (): SottoError =>
  new SottoError('E_IDENTITY_BACKED_UP', 'A backup was proven, and this device has forgotten the master secret since.')
