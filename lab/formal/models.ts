/** The models that are checked: one that is written out (start.vp), and others that differ from it in exactly one thing. */

/** How far a model goes: as many messages. */
type Messages = 1 | 2 | 3

/** A piece of start.vp, which must be there once, and what stands in its place. */
type Edit = readonly [from: string, to: string]

export interface Model {
  readonly name: string
  readonly messages: Messages
  readonly edits: readonly Edit[]
  /**
   * One letter and digit for each query, in order: confidentiality of each message, then authentication of each. 0: no
   * attack; 1: there is one, and it is known.
   */
  readonly expected: string
  /** What this says. */
  readonly says: string
}

const unsigned: Edit = ['CONCAT(dh_tag, gprekey_b), CONCAT(kem_tag, ek_b))', 'CONCAT(dh_tag, gprekey_b))']
const leaks = (what: string): Edit => ['\tonce_sig_b = SIGN(', `\tleaks ${what}\n\tonce_sig_b = SIGN(`]

export const models: readonly Model[] = [
  {
    ...{ name: 'shelf', messages: 3, edits: [], expected: 'c0c0c0a0a0a0' },
    says: 'from a shelf: nobody reads or changes the first three messages, a later quantum computer included',
  },
  {
    ...{ name: 'card', messages: 3, expected: 'c1c1c0a0a0a0' },
    edits: [
      [', ss_a)', ')'],
      [', ss_b)', ')'],
    ],
    says: 'without the KEM of the start: a later quantum computer reads two messages, and not the third, where healing is mixed in',
  },
  {
    ...{ name: 'stolen-dh', messages: 1, edits: [leaks('dh_b')], expected: 'c0a0' },
    says: 'who has stolen the agreeing key of who is written to can pose to them as nobody else',
  },
  {
    ...{ name: 'stolen-prekey', messages: 1, edits: [leaks('prekey_b')], expected: 'c0a1' },
    says: 'who has stolen a prekey can pose to its owner as anybody, until it is replaced (known, of every start of this shape)',
  },
  {
    ...{ name: 'unsigned', messages: 1, expected: 'c1a0' },
    edits: [unsigned, unsigned],
    says: 'control: with a key of the KEM that nobody has signed, a gateway with a later quantum computer would read along',
  },
]

/** Queries and leaks of what a shorter model does not have. */
const later = {
  second: ['confidentiality? m2', 'authentication? Bob -> Alice: e2', ', turn_b'],
  third: [
    'confidentiality? m3',
    'authentication? Alice -> Bob: e3',
    ', turn_a2',
    'heal_here = KEM_DECAP(heal_a, ct_heal)',
  ],
}
const marks = { second: '// Second message', third: '// Third message', after: 'phase[1]' }

/** The text that the checker reads. @throws RangeError where an edit does not fit start.vp any more */
export function textOf({ messages, edits }: Pick<Model, 'messages' | 'edits'>, start: string): string {
  const shorter = messages === 3 ? start : cut(start, messages)
  return edits.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new RangeError(`start.vp has no «${from}» any more`)
    return text.replace(from, to)
  }, shorter)
}

function cut(start: string, messages: 1 | 2): string {
  const end = start.indexOf(messages === 1 ? marks.second : marks.third)
  const after = start.indexOf(marks.after)
  if (end < 0 || after < end) throw new RangeError('start.vp has lost its marks')
  const gone = messages === 1 ? [...later.second, ...later.third] : later.third
  return gone.reduce((text, piece) => text.replaceAll(piece, ''), start.slice(0, end) + start.slice(after))
}
