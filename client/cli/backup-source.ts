/** What opens a backup, and the backup itself: asked for at the terminal, or read from files that the person has named. */
import { needsOf, openBackup, type Unlock } from '#client/backup/container.ts'
import { readDongle } from '#client/backup/dongle.ts'
import { readNamed } from '#client/backup/files.ts'
import { askSecret, readText, typedAgain } from '#firewall/prompt.ts'
import { keySecret } from '#firewall/security-key/answer.ts'
import { isKeyFile } from '#firewall/security-key/key-file.ts'
import { fromUtf8, utf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Ground } from './commands.ts'

type Streams = Ground['streams']

interface DongleNamed {
  /** Path of its file. */
  readonly dongle?: string
}

export interface NewUnlockOptions extends DongleNamed {
  /** False: the dongle alone opens it. */
  readonly password?: boolean
}

export interface SourceOptions extends DongleNamed {
  readonly file?: readonly string[]
}

/** Characters; a backup may lie in a drawer for years, and who finds it has as long to guess. */
const PASSWORD_LEAST = 10

/** The password, typed twice, and the dongle. */
export async function newUnlock({ dongle, password }: NewUnlockOptions, { stdin, stderr }: Streams): Promise<Unlock> {
  const key = dongle === undefined ? {} : { dongle: dongleOf(dongle) }
  if (password === false) {
    if (dongle === undefined) throw new SottoError('E_USAGE', 'A backup without a password needs --dongle.')
    return key
  }
  const typed = await askSecret('Password of the backup: ', stdin, stderr)
  if ([...typed].length < PASSWORD_LEAST) {
    throw new SottoError('E_BACKUP_PASSWORD', `A password of a backup has at least ${PASSWORD_LEAST} characters.`)
  }
  if (!(await typedAgain(typed, stdin, stderr))) {
    throw new SottoError('E_BACKUP_PASSWORD', 'The two passwords differ.', {
      next: 'Try again; nothing was written.',
    })
  }
  return { ...key, password: typed }
}

/** Reads a backup and opens it; nothing of it is shown before that. */
export async function openedBackup({ file, dongle }: SourceOptions, streams: Streams): Promise<Uint8Array> {
  const { stdin, stderr } = streams
  const key = dongle === undefined ? {} : { dongle: dongleOf(dongle) }
  if (file === undefined && !stdin.isTTY) {
    throw new SottoError('E_USAGE', 'From a program, the backup comes from --file, and the password on standard input.')
  }
  const sources = file === undefined ? [utf8(await typedBackup(streams))] : file.map(readNamed)
  // Loaded where it is wanted: it reads pictures.
  const { readBackup } = await import('#client/backup/read.ts')
  const container = await readBackup(sources, file)
  if (!needsOf(container).password) return openBackup(container, key)
  return openBackup(container, { ...key, password: await askSecret('Password of the backup: ', stdin, stderr) })
}

/** Four lines of letters, or as many parts as it takes; an empty line ends it. */
async function typedBackup({ stdin, stderr }: Streams): Promise<string> {
  stderr.write('Type the backup, line by line; an empty line ends it.\n')
  const lines: string[] = []
  for (;;) {
    const line = await readText(`${lines.length + 1}: `, stdin, stderr)
    if (line === '') return lines.join('\n')
    lines.push(line)
    if (lines.length > 16) throw new SottoError('E_BACKUP_FORMAT', 'This is no backup: it has too many lines.')
  }
}

function dongleOf(path: string): Uint8Array {
  const text = fromUtf8(readNamed(path)) ?? ''
  return isKeyFile(text) ? keySecret() : readDongle(text)
}
