/** Base 32 (RFC 4648 section 6), capitals, without padding: what QR codes hold most densely after digits. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export function base32(bytes: Uint8Array): string {
  let text = ''
  let held = 0
  let bits = 0
  for (const octet of bytes) {
    held = (held << 8) | octet
    for (bits += 8; bits >= 5; ) {
      bits -= 5
      text += ALPHABET[(held >>> bits) & 31]
    }
    held &= 0xff
  }
  return bits === 0 ? text : text + ALPHABET[(held << (5 - bits)) & 31]
}

/** Canonical only: undefined for other letters, for a length no octets give, and for set bits at the end. */
export function fromBase32(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8))
  let held = 0
  let bits = 0
  let at = 0
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter)
    if (value < 0) return undefined
    held = ((held << 5) | value) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = held >>> bits
    }
  }
  return base32(bytes) === text ? bytes : undefined
}
