/** Text from other people, made harmless for a terminal. */

/**
 * Control characters (C0, DEL, C1: escape sequences begin with them) and characters that turn the writing direction
 * become visible stand-ins; line breaks stay where `multiline`. A message must not move the cursor, colour the screen,
 * rename the window, or show its parts in another order.
 */
export function sanitize(text: string, multiline = false): string {
  let out = ''
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (multiline && character === '\n') out += character
    else if (code === 9) out += '    '
    else if (isControl(code)) out += '�'
    else out += character
  }
  return out
}

function isControl(code: number): boolean {
  const direction =
    (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || [0x061c, 0x200e, 0x200f].includes(code)
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || direction || code === 0x2028 || code === 0x2029
}
