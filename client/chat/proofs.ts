/**
 * Proving to each other that both know a secret: what the person begins, and what follows from what arrives. Every method is
 * for the inside of a transaction: what a run needs, and the attempt it costs, are stored before anything is sent.
 */
import { constantTimeEqual, type Millis, type Random } from '#protocol/bytes.ts'
import type { Argon2Cost } from '#protocol/crypto/argon2id.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { contactView } from './contacts.ts'
import { chatId } from './envelope.ts'
import type { Emit } from './events.ts'
import type { Identity } from './identity.ts'
import type { After } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { Contact } from './model.ts'
import { isAnswered } from './presence/visibility.ts'
import { decodeProof, type Ending, type ProofKind, type ProofStep, RUN_LENGTH } from './proof-body.ts'
import { answerProof, closeProof, openProof } from './proof-run.ts'
import { stretchSecret } from './proof-secret.ts'
import { ended, type GateSecret, isSpent, type Proof, proofAt, withRun } from './proof-state.ts'
import type { Records } from './records.ts'
import type { Sender } from './sender.ts'

export interface ProofParts {
  readonly records: Records
  readonly sender: Sender
  readonly identity: Identity
  readonly random: Random
  readonly cost: Argon2Cost
  readonly emit: Emit
}

type Step<S extends ProofStep['step']> = Extract<ProofStep, { step: S }>

/** What goes wrong where nobody is to hear of it: there is no way to them now. */
const noWay = ['E_CHAT_NO_GATEWAY', 'E_CARD_EXPIRED', 'E_CHAT_VERSION'] as const

export class Proofs {
  private readonly parts: ProofParts

  constructor(parts: ProofParts) {
    this.parts = parts
  }

  /**
   * The person has typed the secret that both have agreed on: the other's run goes on where there is one, else one begins.
   * @throws SottoError E_PROOF_SECRET, E_PROOF_LIMIT, E_CARD_EXPIRED, and as `Sender.proof`
   */
  check(contact: Contact, text: string, now: Millis, after: After): Contact {
    const proof = this.attempt(contact, now)
    const of = chatId(this.parts.identity.uid, contact.uid)
    const secret = stretchSecret('check', text, of, this.parts.cost)
    if (proof.run?.step !== 'wanted') return this.open({ ...contact, proof }, 'check', secret, now, after)
    return this.share({ ...contact, proof }, { ...proof.run, step: 'open' }, secret, now, after)
  }

  /** The person knows their password, or answers their question. @throws as `check`, and E_PROOF_NONE without a question */
  prove(contact: Contact, kind: 'password' | 'answer', text: string, now: Millis, after: After): Contact {
    const proof = this.attempt(contact, now)
    if (kind === 'answer' && proof.question === undefined) {
      throw new SottoError('E_PROOF_NONE', 'This contact has asked no question.')
    }
    const secret = stretchSecret(kind, text, contact.uid, this.parts.cost)
    const current = { ...contact, proof }
    // Whoever waits for a check is not left waiting.
    const free = proof.run?.step === 'wanted' ? this.decline(current, now, after) : current
    return this.open(free, kind, secret, now, after)
  }

  /** The person does not wish to type it. @throws SottoError E_PROOF_NONE */
  decline(contact: Contact, now: Millis, after: After): Contact {
    const proof = proofAt(contact.proof, now)
    if (proof.run?.step !== 'wanted') throw new SottoError('E_PROOF_NONE', 'This contact has asked for no secret.')
    const { run } = proof.run
    return this.finish({ ...contact, proof }, 'check', 'declined', { run, isFree: false }, now, after)
  }

  /** For new people. @throws SottoError E_PROOF_SECRET */
  gateSecret(kind: 'password' | 'answer', text: string): GateSecret {
    const { identity, cost } = this.parts
    return { secret: stretchSecret(kind, text, identity.uid, cost), left: ChatLimits.gateAttempts }
  }

  /** @throws SottoError E_PROOF_LIMIT, E_CARD_EXPIRED */
  private attempt(contact: Contact, now: Millis): Proof {
    if (contact.chain.length === 0) throw new SottoError('E_CARD_EXPIRED', 'Their fresh card has not arrived yet.')
    const proof = proofAt(contact.proof, now)
    if (!isSpent(proof)) return proof
    const times = `${ChatLimits.proofAttempts} attempts within a day`
    throw new SottoError('E_PROOF_LIMIT', `With this contact, ${times} did not end with equal secrets.`)
  }

  private open(contact: Contact, kind: ProofKind, secret: Uint8Array, now: Millis, after: After): Contact {
    const { identity, random, sender } = this.parts
    const run = random(RUN_LENGTH)
    const opening = openProof({ kind, run, first: identity, second: contact }, secret, random(32))
    const proof = proofAt(contact.proof, now)
    const spent = [...proof.spent, now]
    const next = { ...contact, proof: withRun({ ...proof, spent }, { step: 'opened', kind, run, ...opening }) }
    return sender.proof(next, { step: 'open', kind, run, share: opening.share }, now, after)
  }

  /** We know a secret of that kind, and answer; whether it is the same, the other side says. */
  private share(contact: Contact, opened: Step<'open'>, secret: Uint8Array, now: Millis, after: After): Contact {
    const { identity, random, sender } = this.parts
    const { kind, run } = opened
    const proof = proofAt(contact.proof, now)
    const spent = [...proof.spent, now]
    const answer = answerProof({ kind, run, first: contact, second: identity }, opened.share, secret, random(32))
    if (answer === undefined) {
      const failed = { ...contact, proof: { ...proof, spent } }
      return this.finish(failed, kind, 'different', { run, isFree: false }, now, after)
    }
    const { share, tag, expected } = answer
    const next = { ...contact, proof: withRun({ ...proof, spent }, { step: 'answered', kind, run, expected }) }
    return sender.proof(next, { step: 'share', run, share, tag }, now, after)
  }

  /** Somebody new has written: they hear the question, once, where there is one. */
  greetStranger(contact: Contact, now: Millis, after: After): Contact {
    const gate = this.parts.records.gate().answer
    if (
      contact.status !== 'request' ||
      this.isHidden(contact) ||
      contact.proof?.asked ||
      gate === undefined ||
      gate.left === 0
    )
      return contact
    const proof = { ...proofAt(contact.proof, now), asked: true }
    return this.tell({ ...contact, proof }, { step: 'ask', question: gate.question }, now, after)
  }

  /** What a contact has sent. Where an answer would show them that we are there, and they are not to see that, it waits. */
  take(contact: Contact, body: Uint8Array, now: Millis, after: After): Contact {
    const step = decodeProof(body)
    const asks = step?.step === 'share' || (step?.step === 'open' && step.kind !== 'check')
    if (!asks || !this.isHidden(contact)) return this.takeStep(contact, body, now, after)
    return { ...contact, proof: { ...proofAt(contact.proof, now), late: body } }
  }

  /** They may see now that we are there, or something is said to them: what has waited for that is answered. */
  give(contact: Contact, now: Millis, after: After): Contact {
    if (contact.proof?.late === undefined) return contact
    const { late, ...proof } = contact.proof
    return this.takeStep({ ...contact, proof }, late, now, after)
  }

  private isHidden(contact: Contact): boolean {
    return !isAnswered(contact, this.parts.records.profile()!)
  }

  private takeStep(contact: Contact, body: Uint8Array, now: Millis, after: After): Contact {
    const step = decodeProof(body)
    const current = { ...contact, proof: proofAt(contact.proof, now) }
    switch (step?.step) {
      case 'ask':
        return this.takeAsk(current, step, after)
      case 'open':
        return step.kind === 'check'
          ? this.takeCheck(current, step, now, after)
          : this.takeOpen(current, step, now, after)
      case 'share':
        return this.takeShare(current, step, now, after)
      case 'close':
        return this.takeClose(current, step, after)
      case 'end':
        return this.takeEnd(current, step, after)
      default:
        return contact
    }
  }

  private takeAsk(contact: Proving, { question }: Step<'ask'>, after: After): Contact {
    if (contact.status !== 'accepted') return contact
    const { outcome: _, ...proof } = contact.proof
    return this.shown({ ...contact, proof: { ...proof, question } }, after)
  }

  /** A contact wants to compare. Where both have begun at once, the run with the lower number goes on. */
  private takeCheck(contact: Proving, { run, share }: Step<'open'>, now: Millis, after: After): Contact {
    const { proof } = contact
    if (contact.status !== 'accepted') return contact
    if (isBusy(proof, 'check')) return this.refuse(contact, run, 'declined', now, after)
    const own = proof.run?.step === 'opened' && proof.run.kind === 'check' ? proof.run : undefined
    if (own !== undefined && Buffer.compare(own.run, run) < 0) return contact
    const spent = own === undefined ? proof.spent : proof.spent.slice(0, -1)
    if (isSpent({ ...proof, spent })) return this.refuse(contact, run, 'limit', now, after)
    const next = withRun({ ...proof, spent }, { step: 'wanted', kind: 'check', run, share })
    return this.shown({ ...contact, proof: next }, after)
  }

  /** By itself: who is not to see us hears nothing. */
  private refuse(contact: Contact, run: Uint8Array, why: Ending, now: Millis, after: After): Contact {
    return this.isHidden(contact) ? contact : this.tell(contact, { step: 'end', run, why }, now, after)
  }

  /** Somebody says that they know our password, or the answer to our question. Strangers hear nothing where there is none. */
  private takeOpen(contact: Proving, step: Step<'open'>, now: Millis, after: After): Contact {
    const { records } = this.parts
    const kind = step.kind as 'password' | 'answer'
    const gate = records.gate()
    const set = gate[kind]
    const busy = isBusy(contact.proof, kind) ? 'declined' : undefined
    const why: Ending | undefined = set === undefined ? 'none' : isSpent(contact.proof) ? 'limit' : busy
    if (why !== undefined || set === undefined || set.left === 0) {
      if (set?.left === 0) this.withdrawGate(kind, after)
      if (contact.status !== 'accepted') return contact
      return this.tell(contact, { step: 'end', run: step.run, why: why ?? 'limit' }, now, after)
    }
    records.putGate({ ...gate, [kind]: { ...set, left: set.left - 1 } })
    return this.quietly(contact, () => this.share(contact, step, set.secret, now, after))
  }

  private takeShare(contact: Proving, step: Step<'share'>, now: Millis, after: After): Contact {
    const { run } = contact.proof
    if (run?.step !== 'opened' || !constantTimeEqual(run.run, step.run)) return contact
    const terms = { kind: run.kind, run: run.run, first: this.parts.identity, second: contact }
    const tag = closeProof(terms, run, step)
    const how = { run: run.run, isFree: tag !== undefined, ...(tag && { tag }) }
    return this.finish(contact, run.kind, tag === undefined ? 'different' : 'equal', how, now, after)
  }

  private takeClose(contact: Proving, { run: id, tag }: Step<'close'>, after: After): Contact {
    const { run } = contact.proof
    if (run?.step !== 'answered' || !constantTimeEqual(run.run, id)) return contact
    const isEqual = constantTimeEqual(run.expected, tag)
    if (isEqual && run.kind !== 'check') this.giveBack(run.kind)
    return this.settle(contact, run.kind, isEqual ? 'equal' : 'different', isEqual, after)
  }

  private takeEnd(contact: Proving, { run: id, why }: Step<'end'>, after: After): Contact {
    const { run } = contact.proof
    if (run === undefined || !constantTimeEqual(run.run, id)) return contact
    // What we have answered was tested over there, whatever they say; what we have opened was not.
    const isFree = run.step === 'opened' && why !== 'different'
    return this.settle(contact, run.kind, run.step === 'answered' ? 'different' : why, isFree, after)
  }

  /** The password or answer was known: the attempt is given back. */
  private giveBack(kind: 'password' | 'answer'): void {
    const { records } = this.parts
    const gate = records.gate()
    const set = gate[kind]
    if (set !== undefined) {
      records.putGate({ ...gate, [kind]: { ...set, left: Math.min(ChatLimits.gateAttempts, set.left + 1) } })
    }
  }

  private withdrawGate(kind: 'password' | 'answer', after: After): void {
    const { records, emit } = this.parts
    const { [kind]: _, ...rest } = records.gate()
    records.putGate(rest)
    const what = kind === 'password' ? 'Your password for new people' : 'Your question for new people'
    const text = `${what} was tried ${ChatLimits.gateAttempts} times without success, and holds no more.`
    after(() => emit({ type: 'problem', error: new SottoError('E_PROOF_WITHDRAWN', text) }))
  }

  /** Tells the other side how it ended, and notes it. */
  private finish(
    contact: Contact,
    kind: ProofKind,
    result: 'equal' | Ending,
    how: { readonly run: Uint8Array; readonly isFree: boolean; readonly tag?: Uint8Array },
    now: Millis,
    after: After,
  ): Contact {
    const { run, tag } = how
    const step: ProofStep =
      tag === undefined ? { step: 'end', run, why: result as Ending } : { step: 'close', run, tag }
    return this.settle(this.tell(contact, step, now, after), kind, result, how.isFree, after)
  }

  private settle(contact: Contact, kind: ProofKind, result: 'equal' | Ending, isFree: boolean, after: After): Contact {
    const next = { ...contact, proof: ended(contact.proof!, kind, result, isFree) }
    if (result !== 'equal') return this.shown(next, after)
    // Only a check is between two people who know each other; a password may be known to many.
    const knows = kind === 'check' ? { verified: true, changed: false } : {}
    return this.shown({ ...next, ...knows, status: 'accepted' }, after)
  }

  private tell(contact: Contact, step: ProofStep, now: Millis, after: After): Contact {
    return this.quietly(contact, () => this.parts.sender.proof(contact, step, now, after))
  }

  private quietly(contact: Contact, work: () => Contact): Contact {
    try {
      return work()
    } catch (error) {
      if (noWay.some((code) => isSottoError(error, code))) return contact
      throw error
    }
  }

  private shown(contact: Contact, after: After): Contact {
    this.parts.records.putContact(contact)
    after(() => this.parts.emit({ type: 'proof', contact: contactView(contact) }))
    return contact
  }
}

type Proving = Contact & { readonly proof: Proof }

/** Something else has begun, and is not to be lost for what they begin now. What we have answered cost them an attempt. */
function isBusy({ run }: Proof, kind: ProofKind): boolean {
  return run !== undefined && run.step !== 'answered' && run.kind !== kind
}
