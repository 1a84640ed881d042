/** What `learn` tells its user beside the template: what it left out, what it kept as it was, what is left to do. */

export interface Note {
  /** Where in the recording, e.g. `POST /api/messages: content`. */
  readonly where: string
  readonly what: string
}

export interface Notes {
  /** Never copied into the template. */
  readonly dropped: readonly Note[]
  /** Copied word for word: to be read by the operator, who alone knows what is personal. */
  readonly kept: readonly Note[]
  /** Guessed, invented, or left for the operator. */
  readonly open: readonly Note[]
}

export class Notebook {
  private readonly notes = {
    dropped: new Map<string, Note>(),
    kept: new Map<string, Note>(),
    open: new Map<string, Note>(),
  }

  /** Says each thing once. `what` never holds a value that was dropped. */
  note(kind: keyof Notes, where: string, what: string): void {
    this.notes[kind].set(`${where}\n${what}`, { where, what })
  }

  /** Takes over what another has noted: a route's, once the route is used. */
  add(other: Notebook): void {
    for (const kind of ['dropped', 'kept', 'open'] as const) {
      for (const [key, note] of other.notes[kind]) this.notes[kind].set(key, note)
    }
  }

  get all(): Notes {
    const { dropped, kept, open } = this.notes
    return { dropped: [...dropped.values()], kept: [...kept.values()], open: [...open.values()] }
  }
}
