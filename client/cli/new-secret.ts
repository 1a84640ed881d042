/** Secrets that are set here. Nobody sees what was typed, so at a terminal it is typed twice: one slip would lock everybody out. */
import { askSecret, askSecrets, typedAgain } from '#firewall/prompt.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Ground } from './commands.ts'

type Streams = Ground['streams']

/** From a pipe, its first line. @throws SottoError E_PROOF_SECRET where the two differ; E_USAGE as `askSecret` */
export async function askNewSecret(prompt: string, { stdin, stderr }: Streams): Promise<string> {
  const typed = await askSecret(prompt, stdin, stderr)
  if (await typedAgain(typed, stdin, stderr)) return typed
  throw new SottoError('E_PROOF_SECRET', 'What was typed the second time is something else.', {
    kept: 'Everything is as it was.',
    next: 'Try again.',
  })
}

/** One for each prompt; from a pipe, a line for each. @throws as `askNewSecret` */
export async function askNewSecrets(prompts: readonly string[], streams: Streams): Promise<string[]> {
  if (!streams.stdin.isTTY) return await askSecrets(prompts, streams.stdin, streams.stderr)
  const typed: string[] = []
  for (const prompt of prompts) typed.push(await askNewSecret(prompt, streams))
  return typed
}
