/**
 * Names of files from others, made harmless: for a file system, where a name must not lead anywhere or be hidden, and for a
 * screen, where it must not show itself as another. The sender does it, and who receives does it again.
 */
import { utf8 } from '#protocol/bytes.ts'
import { FileLimits } from './limits.ts'

/** Control and format characters (bidi and zero width among them), line separators, surrogates, private and unassigned ones. */
const unseen = /[\p{C}\p{Zl}\p{Zp}]/gu
/** What parts a path, or means something to a shell, on any of the systems there are. */
const forbidden = /[/\\:*?"<>|]/g
/** Names that Windows takes for a device, whatever follows them. */
const device = /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?=\.|$)/i
const NAMELESS = 'file'
/** Octets of an ending that stays when a name is cut. */
const ENDING_BYTES = 16

/** The same name made harmless; what it gives, it leaves alone. */
export function safeFileName(name: string): string {
  const visible = name.toWellFormed().normalize('NFC').replace(unseen, '').replace(forbidden, '_').replace(/\s+/gu, ' ')
  const cut = shortened(trimmed(visible))
  const safe = cut === '' ? NAMELESS : cut
  return device.test(safe) ? shortened(`_${safe}`) : safe
}

/** A dot in front hides a file, a dash makes it an option; Windows drops dots and spaces at the end. */
const trimmed = (name: string): string => name.replace(/^[\s.-]+/u, '').replace(/[\s.]+$/u, '')

function shortened(name: string): string {
  if (utf8(name).length <= FileLimits.nameBytes) return name
  const ending = /\.[^.\s]+$/u.exec(name)?.[0] ?? ''
  const kept = utf8(ending).length <= ENDING_BYTES ? ending : ''
  const room = FileLimits.nameBytes - utf8(kept).length
  let stem = ''
  for (const character of name.slice(0, name.length - kept.length)) {
    if (utf8(stem + character).length > room) break
    stem += character
  }
  return trimmed(stem) + kept
}

/** `name (2).ext` for 2, and so on; 1 is the name itself. */
export function numberedName(name: string, number: number): string {
  if (number === 1) return name
  const [, stem = name, ending = ''] = /^(.+?)(\.[^.\s]+)?$/su.exec(name) ?? []
  return `${stem} (${number})${ending}`
}
