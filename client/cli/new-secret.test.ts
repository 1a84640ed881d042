/** Setting a secret that nobody sees: typed twice at a terminal, read once from a pipe. */
import { PassThrough } from 'node:stream'
import test from 'ava'
import { askNewSecret, askNewSecrets } from './new-secret.ts'

/** A person who types the next answer at each prompt; without answers left, nothing more. */
function terminal(answers: readonly string[]): { streams: Parameters<typeof askNewSecret>[1]; shown: string[] } {
  const [stdin, left] = [new PassThrough(), [...answers]]
  const shown: string[] = []
  const write = (text: string): boolean => {
    shown.push(text)
    if (text !== '\n' && left.length > 0) stdin.write(`${left.shift()}\n`)
    return true
  }
  const streams = { stdin: Object.assign(stdin, { isTTY: true }), stdout: { write }, stderr: { write } }
  return { streams: streams as unknown as Parameters<typeof askNewSecret>[1], shown }
}

function pipe(text: string): Parameters<typeof askNewSecret>[1] {
  const stdin = new PassThrough()
  stdin.end(text)
  return { stdin } as unknown as Parameters<typeof askNewSecret>[1]
}

test('at a terminal each secret is asked for twice, and neither is shown', async (t) => {
  const { streams, shown } = terminal(['Murka the Second', 'Murka the Second', 'the mill', 'the mill'])
  t.deepEqual(await askNewSecrets(['Which cat? ', 'Where? '], streams), ['Murka the Second', 'the mill'])
  t.deepEqual(shown, ['Which cat? ', '\n', 'Once more: ', '\n', 'Where? ', '\n', 'Once more: ', '\n'])
})

test('a slip is said, and nothing more is asked', async (t) => {
  const { streams, shown } = terminal(['Murka the Second', 'Murka the Secnod'])
  const error = await t.throwsAsync(askNewSecrets(['Which cat? ', 'Where? '], streams), { code: 'E_PROOF_SECRET' })
  t.notRegex(`${error!.message} ${shown.join('')}`, /Murka|Where/)
})

test('from a pipe it comes once', async (t) => {
  t.is(await askNewSecret('Password: ', pipe('a b \nmore\n')), 'a b ')
  t.deepEqual(await askNewSecrets(['', ''], pipe(' one\ntwo \n\n')), [' one', 'two '], 'blanks count')
})
