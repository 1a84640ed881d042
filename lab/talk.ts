/** Members who talk in pairs, and the account of what was said and heard. */
import type { ContactView } from '#client/chat/events.ts'
import type { Person } from './place.ts'

export interface Account {
  readonly said: number
  readonly heard: number
  /** Said and not heard. */
  readonly lost: number
  /** Heard more than once. */
  readonly duplicates: number
}

export interface Talk {
  /** Nothing more is said. */
  stop(): void
  /** Ends the talking and waits, up to a time, until everything was heard. */
  end(patienceMs: number): Promise<Account>
}

/** Neighbours take in each other's card, then everybody says something every `everyMs`, each at another moment. */
export async function startTalk(people: readonly Person[], everyMs: number): Promise<Talk> {
  const said = new Map<string, number>()
  const timers: NodeJS.Timeout[] = []
  for (let at = 0; at + 1 < people.length; at += 2) {
    const [one, other] = [people[at]!, people[at + 1]!]
    const forOne = one.member.chat.addContact(await other.member.chat.myCard())
    const forOther = other.member.chat.addContact(await one.member.chat.myCard())
    for (const person of [one, other]) listen(person, said)
    timers.push(speak(one, forOne, said, everyMs, at), speak(other, forOther, said, everyMs, at + 1))
  }
  const stop = (): void => {
    for (const timer of timers) clearInterval(timer)
  }
  return {
    stop,
    end: async (patienceMs) => {
      stop()
      const deadline = Date.now() + patienceMs
      while (account(said).lost > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100))
      return account(said)
    },
  }
}

/** Counts by text: 0 said, 1 heard once. */
function listen({ member }: Person, said: Map<string, number>): void {
  member.chat.onEvent((event) => {
    if (event.type !== 'message' || event.message.from !== 'them') return
    const { text } = event.message
    said.set(text, (said.get(text) ?? 0) + 1)
  })
}

function speak(
  { name, member }: Person,
  to: ContactView,
  said: Map<string, number>,
  everyMs: number,
  phase: number,
): NodeJS.Timeout {
  let count = 0
  const say = (): void => {
    const text = `${name} ${count++}`
    said.set(text, 0)
    member.chat.send(to.id, text)
  }
  // Spread over the time between two sayings.
  const timer = setInterval(say, everyMs + ((phase * 37) % 400))
  say()
  return timer
}

function account(said: ReadonlyMap<string, number>): Account {
  const times = [...said.values()]
  const lost = times.filter((each) => each === 0).length
  const duplicates = times.filter((each) => each > 1).length
  return { said: times.length, heard: times.length - lost, lost, duplicates }
}
