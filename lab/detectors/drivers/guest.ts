/** Somebody who comes to the site: a genuine visitor, or a member of ours. */

export interface Guest {
  /** Comes in; resolves once they can say something. */
  enter(): Promise<void>
  /** Says a text of so many letters. */
  say(letters: number): void
  /** What a genuine application says beside messages, as its template's rhythm has it; ours does so by itself. */
  notice(): void
  /** Somebody else says so much to them. */
  hear(letters: number): void
  leave(): Promise<void>
}

/** Comes again and again as one person: genuine visitors without a memory, members with the same state folder. */
export interface GuestPlace {
  /** What TLS and the Host header name. */
  readonly host: string
  readonly template: string
}

/** Octets that a sealed message takes in a parcel, whatever up to about 300 letters it says. */
export const MESSAGE_OCTETS = 765
