/**
 * How hard an answer is to guess for somebody who knows a little of its owner: an estimate in bits that is rather too low than
 * too high. It knows no dictionary: a word counts as one of some thousand, whatever its length, and figures as dates.
 */

/** Bits of a letter, until a word is as good as any other of its language: it is in a list of four thousand. */
const LETTER = 2
const WORD = 12
/** Bits of a character of a script that writes a syllable or a word with each; they stand together without spaces. */
const SIGN = 5
/** Bits of a figure: most numbers that people remember are days, years, and those in a directory. */
const FIGURE = 2
/** Bits of anything else, and of all of it. */
const MARK = 2
const MARKS = 6

const parts = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]+|\p{N}+|[\p{L}\p{M}]+/gu
const signs = /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u

/**
 * @param answers normalised
 * @param question words of it count nothing, and no word counts twice
 */
export function guessBits(answers: readonly string[], question: string): number {
  const told = new Set(question.match(parts))
  const text = answers.join(' ')
  const fresh = new Set((text.match(parts) ?? []).filter((part) => !told.has(part)))
  const marks = text.replaceAll(parts, '').replaceAll(/\s/gu, '')
  const bits = [...fresh].reduce((sum, part) => sum + bitsOf(part), 0)
  return bits + Math.min(MARKS, MARK * stepless(marks))
}

function bitsOf(part: string): number {
  if (signs.test(part)) return SIGN * stepless(part)
  return /^\p{N}/u.test(part) ? FIGURE * stepless(part) : Math.min(WORD, LETTER * stepless(part))
}

/** Characters that do not go on as the two before them: `aaaa` and `1234` are two each. */
function stepless(text: string): number {
  const codes = Array.from(text, (character) => character.codePointAt(0)!)
  const goesOn = (i: number): boolean => {
    const step = codes[i - 1]! - codes[i - 2]!
    return Math.abs(step) <= 1 && codes[i]! - codes[i - 1]! === step
  }
  return codes.filter((_, i) => i < 2 || !goesOn(i)).length
}
