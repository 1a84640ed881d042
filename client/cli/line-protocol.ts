/**
 * `sotto chat --json`: a chat for programs. One JSON value a line.
 *
 *     in    {"to": name, "text": text, "answers"?: id, "noStore"?: true} | {"read": name} | {"look": template}
 *           | {"add": card} | {"accept": name} | {"timer": name, "seconds": number}
 *           | {"edit": name, "message": id, "text": text} | {"withdraw": name, "message": id}
 *           | {"presence": name} | {"showing": "visible" | "invisible"}
 *           | {"same" | "password" | "answer": name, "secret": text} | {"decline": name}
 *           | {"react": name, "message": id, "symbol": text}
 *     out   every event of the chat, {"type": "status", ...} for the connection, {"type": "error", ...} for a line that failed
 */
import { createInterface } from 'node:readline'
import { parseCard } from '#client/chat/card-text.ts'
import { isTimer } from '#client/chat/says.ts'
import type { Member } from '#client/member.ts'
import { SottoError } from '#protocol/errors.ts'
import { contactNamed } from './contact-names.ts'
import { formatError } from './report.ts'

export interface LineProtocolInput {
  readonly member: Member
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
}

/** Runs until the input ends. */
export async function runLineProtocol({ member, input, output }: LineProtocolInput): Promise<void> {
  const say = (value: unknown): void => void output.write(`${JSON.stringify(value)}\n`)
  const sayError = (error: unknown): void => say({ type: 'error', ...JSON.parse(formatError(error, true)) })
  member.chat.onEvent((event) => {
    if (event.type === 'problem') sayError(event.error)
    else say(event)
  })
  member.onRefusal(sayError)
  member.onStatus(({ state, template, since, findings, tried }) =>
    say({ type: 'status', state, template, since, findings, tried }),
  )
  for (const contact of member.chat.contacts()) say({ type: 'contact', contact })
  for await (const line of createInterface({ input })) {
    try {
      if (line.trim() !== '') perform(member, commandOf(line), say)
    } catch (error) {
      sayError(error)
    }
  }
}

function commandOf(line: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new SottoError('E_USAGE', 'a line is not JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new SottoError('E_USAGE', 'a line is no object', {
    next: 'It takes to, edit, withdraw, react, timer, same, password, answer, decline, read, look, add, accept, presence or showing.',
  })
}

function show({ chat, finding }: Member, showing: unknown): void {
  if (showing !== 'visible' && showing !== 'invisible')
    throw new SottoError('E_USAGE', 'showing is visible or invisible')
  chat.presence.setShowing(showing)
  void finding.refresh().catch(() => {})
}

function secondsOf(value: unknown): number {
  if (typeof value === 'number' && isTimer(value)) return value
  throw new SottoError('E_USAGE', 'seconds is a whole number from 0 to four weeks')
}

function perform(member: Member, command: Record<string, unknown>, say: (value: unknown) => void): void {
  const { chat } = member
  const idOf = (name: unknown): string => contactNamed(chat.contacts(), String(name)).id
  const message = String(command.message)
  if ('to' in command) {
    const answers = command.answers === undefined ? {} : { answers: String(command.answers) }
    const options = { ...answers, noStore: command.noStore === true }
    say({ type: 'message', message: chat.send(idOf(command.to), String(command.text), options) })
  } else if ('edit' in command) chat.edit(idOf(command.edit), message, String(command.text))
  else if ('withdraw' in command) chat.withdraw(idOf(command.withdraw), message)
  else if ('react' in command) chat.react(idOf(command.react), message, String(command.symbol ?? ''))
  else if ('timer' in command) chat.setTimer(idOf(command.timer), secondsOf(command.seconds))
  else if ('same' in command) chat.proofs.check(idOf(command.same), String(command.secret))
  else if ('password' in command) chat.proofs.password(idOf(command.password), String(command.secret))
  else if ('answer' in command) chat.proofs.answer(idOf(command.answer), String(command.secret))
  else if ('decline' in command) chat.proofs.decline(idOf(command.decline))
  else if ('read' in command) chat.markRead(idOf(command.read))
  else if ('look' in command) member.use(String(command.look))
  else if ('add' in command) chat.addContact(parseCard(String(command.add)))
  else if ('accept' in command) chat.accept(idOf(command.accept))
  else if ('presence' in command) void member.presence.check(idOf(command.presence))
  else if ('showing' in command) show(member, command.showing)
  else
    throw new SottoError('E_USAGE', 'a line names no command', {
      next: 'It takes to, edit, withdraw, react, timer, same, password, answer, decline, read, look, add, accept, presence or showing.',
    })
}
