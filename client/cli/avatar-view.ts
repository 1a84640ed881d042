/** How a picture that somebody shows is described and drawn. */
import type { Avatar } from '#client/chat/avatars/avatar.ts'
import { base64url, hex } from '#protocol/bytes.ts'
import { drawn } from './chat-files.ts'
import { describeSize } from './text.ts'

/** Letters of a hash that people see. */
const SHORT_HASH = 8

/** One line. */
export function describeAvatar({ hash, side, jpeg }: Avatar): string {
  return `picture ${hex(hash).slice(0, SHORT_HASH)}, ${side} by ${side} pixels, ${describeSize(jpeg.length)}`
}

/** Of one that a contact shows, by what is known of it here. */
export function describeTheirs(named: string | undefined, here: Avatar | undefined): string {
  if (named === undefined) return 'no picture'
  if (here === undefined) return `picture ${named.slice(0, SHORT_HASH)}, not here yet`
  const isNewest = hex(here.hash) === named
  return isNewest ? describeAvatar(here) : `${describeAvatar(here)}; a newer one is not here yet`
}

/** In the colours of the terminal; nothing where it has not all of them. */
export function avatarLines({ small }: Avatar, hasColours: boolean): string {
  if (!hasColours) return ''
  return drawn({ ...small, pixels: base64url(small.pixels) })
    .map((line) => `\n  ${line}`)
    .join('')
}

/** For programs. */
export function avatarJson({ hash, side, jpeg }: Avatar): { hash: string; side: number; bytes: number } {
  return { hash: hex(hash), side, bytes: jpeg.length }
}
