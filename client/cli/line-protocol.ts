/**
 * `sotto chat --json`: a chat for programs. One JSON value a line.
 *
 *     in    {"to": name, "text": text, "answers"?: id, "noStore"?: true} | {"read": name} | {"look": template}
 *           | {"add": card} | {"accept": name} | {"timer": name, "seconds": number}
 *           | {"edit": name, "message": id, "text": text} | {"withdraw": name, "message": id}
 *           | {"presence": name} | {"showing": "visible" | "invisible"}
 *           | {"same" | "password" | "answer": name, "secret": text} | {"decline": name}
 *           | {"react": name, "message": id, "symbol": text} | {"file": name, "path": path, "noStore"?: true, "keepMetadata"?: true}
 *           | {"fetch": name, "message": id} | {"save": id of a file} | {"cancel": id of a file}
 *           | {"open": name} | {"avatar": path, or null for none} | {"face": name}
 *     out   every event of the chat, {"type": "status", ...} for the connection, {"type": "file", ...} for every file and change
 *           of one, {"type": "saved", ...} once it is in the folder, {"type": "face", ...} for the picture that somebody shows, {"type": "error", ...} for a line that failed
 *
 * Paths are below the folder of `--files`, where files are saved as well.
 */
import { createInterface } from 'node:readline'
import { parseCard } from '#client/chat/card-text.ts'
import { isTimer } from '#client/chat/says.ts'
import type { Member } from '#client/member.ts'
import { base64url } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { avatarJson } from './avatar-view.ts'
import { contactNamed } from './contact-names.ts'
import { faceAt } from './profile.ts'
import { formatError } from './report.ts'
import { inFolder, saveToFolder, sendFile } from './transfers.ts'

export interface LineProtocolInput {
  readonly member: Member
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
  /** The folder for files; undefined for none. */
  readonly folder: string | undefined
}

/** Runs until the input ends. */
export async function runLineProtocol({ member, input, output, folder }: LineProtocolInput): Promise<void> {
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
  member.files.onChange((file) => say({ type: 'file', file }))
  for (const contact of member.chat.contacts()) say({ type: 'contact', contact })
  for (const file of member.files.list()) say({ type: 'file', file })
  for await (const line of createInterface({ input })) {
    try {
      if (line.trim() === '') continue
      const command = commandOf(line)
      const work = performWithFile(member, command, folder, say)
      if (work === undefined) perform(member, command, say)
      else void work.catch(sayError)
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
    next: 'It takes to, edit, withdraw, react, timer, file, fetch, save, cancel, same, password, answer, decline, read, look, add, accept, presence, showing, open, avatar or face.',
  })
}

/** What takes its time; undefined where it is something else. */
function performWithFile(
  member: Member,
  command: Record<string, unknown>,
  folder: string | undefined,
  say: (value: unknown) => void,
): Promise<void> | undefined {
  const { chat, files } = member
  const idOf = (name: unknown): string => contactNamed(chat.contacts(), String(name)).id
  if ('file' in command) {
    const how = { noStore: command.noStore === true, keepMetadata: command.keepMetadata === true }
    const path = inFolder(named(folder), String(command.path))
    return sendFile(member, idOf(command.file), path, how).then(({ metadata }) => say({ type: 'metadata', metadata }))
  }
  if ('avatar' in command) return setAvatar(member, command.avatar, folder)
  if ('fetch' in command) files.fetch(idOf(command.fetch), String(command.message))
  else if ('cancel' in command) files.cancel(String(command.cancel))
  else if ('save' in command) {
    const id = String(command.save)
    return saveToFolder(member, id, named(folder)).then((path) => say({ type: 'saved', file: id, path }))
  } else return undefined
  return Promise.resolve()
}

/** null: none from now on. */
async function setAvatar({ chat, finding }: Member, path: unknown, folder: string | undefined): Promise<void> {
  if (path === null) chat.avatars.remove()
  else chat.avatars.set(await faceAt(inFolder(named(folder), String(path))))
  void finding.refresh().catch(() => {})
}

/** As they show themselves, as far as it is here. */
function faceFor({ chat }: Member, id: string): object {
  const avatar = chat.avatars.of(id)
  const shown = avatar && { ...avatarJson(avatar), jpeg: base64url(avatar.jpeg) }
  return { type: 'face', contact: id, ...(shown && { avatar: shown }) }
}

function named(folder: string | undefined): string {
  if (folder !== undefined) return folder
  throw new SottoError('E_FILE_FOLDER', 'There is no folder for files.')
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

/** What is missing must not be tried: it would cost an attempt. */
function secretOf({ secret }: Record<string, unknown>): string {
  if (typeof secret === 'string') return secret
  throw new SottoError('E_USAGE', 'secret is missing, or no text')
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
  else if ('same' in command) chat.proofs.check(idOf(command.same), secretOf(command))
  else if ('password' in command) chat.proofs.password(idOf(command.password), secretOf(command))
  else if ('answer' in command) chat.proofs.answer(idOf(command.answer), secretOf(command))
  else if ('decline' in command) chat.proofs.decline(idOf(command.decline))
  else if ('read' in command) chat.markRead(idOf(command.read))
  else if ('look' in command) member.use(String(command.look))
  else if ('add' in command) chat.addContact(parseCard(String(command.add)))
  else if ('accept' in command) chat.accept(idOf(command.accept))
  else if ('open' in command) chat.avatars.look(idOf(command.open))
  else if ('face' in command) say(faceFor(member, idOf(command.face)))
  else if ('presence' in command) void member.presence.check(idOf(command.presence))
  else if ('showing' in command) show(member, command.showing)
  else
    throw new SottoError('E_USAGE', 'a line names no command', {
      next: 'It takes to, edit, withdraw, react, timer, file, fetch, save, cancel, same, password, answer, decline, read, look, add, accept, presence, showing, open, avatar or face.',
    })
}
