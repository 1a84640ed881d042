/** What the person does about secrets: compares one with a contact, gives a password or an answer, sets one for new people. */
import { SottoError } from '#protocol/errors.ts'
import type { ContactBook } from './contact-book.ts'
import type { Engine } from './engine.ts'
import type { ContactId, ContactView } from './events.ts'
import type { After } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { Contact } from './model.ts'
import { isQuestion } from './proof-body.ts'
import { withoutRun } from './proof-state.ts'

/** Who is accepted without being asked: those who know the password, or the answer. */
export interface GateView {
  readonly password: boolean
  readonly question?: string
}

export class ProofBook {
  private readonly engine: Engine
  private readonly book: ContactBook

  constructor(engine: Engine, book: ContactBook) {
    this.engine = engine
    this.book = book
  }

  /**
   * Whether the contact types the same, this time or when they come to it; both learn that, and nothing else. Blocks for a
   * third of a second.
   * @throws SottoError E_PROOF_SECRET, E_PROOF_LIMIT, E_CHAT_CONTACT, E_CHAT_BLOCKED, E_CARD_EXPIRED, E_CHAT_VERSION,
   * E_CHAT_NO_GATEWAY, E_DISK_FULL
   */
  check(id: ContactId, secret: string): ContactView {
    return this.change(id, (contact, after) => this.engine.proofs.check(contact, secret, this.engine.now(), after))
  }

  /** Says to the contact that we know their password. @throws as `check` */
  password(id: ContactId, password: string): ContactView {
    return this.prove(id, 'password', password)
  }

  /** Answers the contact's question. @throws as `check`, and E_PROOF_NONE */
  answer(id: ContactId, answer: string): ContactView {
    return this.prove(id, 'answer', answer)
  }

  /** The contact asked to compare, and we do not wish to. @throws SottoError E_PROOF_NONE, E_CHAT_CONTACT, E_CHAT_BLOCKED */
  decline(id: ContactId): ContactView {
    return this.change(id, (contact, after) => this.engine.proofs.decline(contact, this.engine.now(), after))
  }

  get gate(): GateView {
    const { password, answer } = this.engine.records.gate()
    return { password: password !== undefined, ...(answer && { question: answer.question }) }
  }

  /** Who knows it is accepted from now on; undefined: nobody is. @throws SottoError E_PROOF_SECRET, E_DISK_FULL */
  setPassword(password: string | undefined): GateView {
    const set = password === undefined ? undefined : this.engine.proofs.gateSecret('password', password)
    return this.changeGate('password', set)
  }

  /** Who answers it is accepted from now on; undefined: nobody is. @throws as `setPassword` */
  setQuestion(set: { readonly question: string; readonly answer: string } | undefined): GateView {
    if (set === undefined) return this.changeGate('answer', undefined)
    const question = set.question.trim()
    if (!isQuestion(question)) {
      throw new SottoError('E_PROOF_SECRET', `A question is one line of up to ${ChatLimits.questionBytes} octets.`)
    }
    return this.changeGate('answer', { ...this.engine.proofs.gateSecret('answer', set.answer), question })
  }

  private changeGate(kind: 'password' | 'answer', set: object | undefined): GateView {
    const { records } = this.engine
    const { [kind]: _, ...rest } = records.gate()
    this.engine.change(() => {
      records.putGate(set === undefined ? rest : { ...rest, [kind]: set })
      // Who knew what held before has not shown it yet, and is not let in for it any more.
      for (const contact of records.contacts()) {
        const { run } = contact.proof ?? {}
        if (run?.step === 'answered' && run.kind === kind) records.putContact(withoutRun(contact))
      }
    })
    return this.gate
  }

  private prove(id: ContactId, kind: 'password' | 'answer', text: string): ContactView {
    return this.change(id, (contact, after) => this.engine.proofs.prove(contact, kind, text, this.engine.now(), after))
  }

  private change(id: ContactId, work: (contact: Contact, after: After) => Contact): ContactView {
    const contact = this.book.find(id)
    if (contact.status !== 'accepted') throw new SottoError('E_CHAT_BLOCKED', 'This contact is not accepted.')
    this.engine.change((after) => this.engine.records.putContact(work(contact, after)))
    return this.book.update(id, (current) => current)
  }
}
