/** Reads text from a person or a pipe. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { concat, fromUtf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'

/** Octets of a pasted link or card. */
const TEXT_MAX = 100_000

/** Exit status of what SIGINT has ended, as shells have it. */
const INTERRUPTED = 130

/** Everything a pipe holds, or one line typed at a prompt. */
export async function readText(
  prompt: string,
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
): Promise<string> {
  if (input.isTTY) return await ask(prompt, input, output)
  return (await whole(input)).trim()
}

/** @throws SottoError E_USAGE where it is too much, or no UTF-8 */
async function whole(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of input) {
    chunks.push(chunk)
    length += chunk.length
    if (length > TEXT_MAX) throw new SottoError('E_USAGE', 'there is too much to read')
  }
  const text = fromUtf8(concat(...chunks))
  if (text === undefined) throw new SottoError('E_USAGE', 'what is to be read is no UTF-8')
  return text
}

/** @throws SottoError E_USAGE where it is too much, or no UTF-8 */
export async function firstLineOf(input: AsyncIterable<Uint8Array>): Promise<string> {
  return (await whole(input)).split(/\r?\n/, 1)[0]!
}

export async function ask(prompt: string, input: NodeJS.ReadStream, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input, output })
  try {
    return (await answered(lines.question(prompt))).trim()
  } finally {
    lines.close()
  }
}

/** A secret for each prompt, as `askSecret`; from a pipe, a line for each. @throws SottoError E_USAGE where the pipe holds too much */
export async function askSecrets(
  prompts: readonly string[],
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
): Promise<string[]> {
  if (!input.isTTY) return (await whole(input)).replace(/[\r\n]+$/, '').split(/\r?\n/)
  const typed: string[] = []
  for (const prompt of prompts) typed.push(await askSecret(prompt, input, output))
  return typed
}

/**
 * A secret typed at a prompt without showing on the screen; from a pipe, its first line.
 * @throws SottoError E_USAGE where the pipe holds too much, or no UTF-8
 */
export async function askSecret(
  prompt: string,
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
): Promise<string> {
  if (!input.isTTY) return await firstLineOf(input)
  // Whatever readline would echo goes nowhere; and the terminal echoes nothing by the time that it asks.
  const lines = createInterface({ input, output: new Writable({ write: (_, __, done) => done() }), terminal: true })
  try {
    const answer = lines.question('')
    output.write(prompt)
    return await answered(answer)
  } finally {
    lines.close()
    output.write('\n')
  }
}

/** Of a secret that is set: nobody sees what is typed, so at a terminal it is asked for again. False where the second is another. */
export async function typedAgain(
  typed: string,
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
): Promise<boolean> {
  return !input.isTTY || (await askSecret('Once more: ', input, output)) === typed
}

/** Ctrl-C at a prompt ends the program, as it does anywhere else; nothing was begun by then. */
async function answered(answer: Promise<string>): Promise<string> {
  return answer.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ABORT_ERR') process.exit(INTERRUPTED)
    throw error
  })
}

/** A new password of the folder that was given where it must not be. */
export const passwordInArguments = (): SottoError =>
  new SottoError('E_SECRET_IN_ARGV', 'A password on the command line can be read by everybody on this machine.', {
    kept: 'The password is as it was.',
    next: 'Choose another one, and let it be asked for: sotto password set',
  })
