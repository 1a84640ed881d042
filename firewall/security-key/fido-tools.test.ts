/** What the programs of fido2-tools can say and do that no key in software does (test/security-key.test.ts has one). */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { isSottoError } from '#protocol/errors.ts'
import { temporaryFolder } from '../fixtures/temporary.ts'
import { FidoLimits } from '../limits.ts'
import { type FidoTools, fidoTools } from './fido-tools.ts'

/** Programs that do what `script` says, whatever they are asked. */
async function toolsThat(t: ExecutionContext, script: string, limits = {}): Promise<FidoTools> {
  const folder = await temporaryFolder(t)
  for (const name of ['fido2-token', 'fido2-cred', 'fido2-assert']) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(folder, name), 0o755)
  }
  return fidoTools((start) => start(), `${folder}:/usr/bin:/bin`, { ...FidoLimits, ...limits })
}

const codeOf = (error: unknown): string => (isSottoError(error) ? error.code : String(error))
const secretOf = (tools: FidoTools): Promise<string> =>
  tools.secretOf('/dev/null', new Uint8Array(64), new Uint8Array(32), '1234').then(() => 'a secret', codeOf)

test('every error of libfido2 becomes a code, and none of its text is told', async (t) => {
  const said = {
    FIDO_ERR_NO_CREDENTIALS: 'E_FIDO_OTHER',
    FIDO_ERR_INVALID_CREDENTIAL: 'E_FIDO_OTHER',
    FIDO_ERR_PIN_INVALID: 'E_FIDO_PIN',
    FIDO_ERR_PIN_AUTH_INVALID: 'E_FIDO_PIN',
    FIDO_ERR_PIN_AUTH_BLOCKED: 'E_FIDO_BLOCKED',
    FIDO_ERR_PIN_BLOCKED: 'E_FIDO_BLOCKED',
    FIDO_ERR_UV_BLOCKED: 'E_FIDO_BLOCKED',
    FIDO_ERR_ACTION_TIMEOUT: 'E_FIDO_TOUCH',
    FIDO_ERR_USER_ACTION_TIMEOUT: 'E_FIDO_TOUCH',
    FIDO_ERR_OPERATION_DENIED: 'E_FIDO_TOUCH',
    FIDO_ERR_UNSUPPORTED_EXTENSION: 'E_FIDO_UNFIT',
    FIDO_ERR_RX: 'E_FIDO_FAILED',
  }
  for (const [name, code] of Object.entries(said)) {
    const tools = await toolsThat(t, `echo 'fido2-assert: fido_dev_get_assert: ${name}' >&2; exit 1`)
    t.is(await secretOf(tools), code, name)
  }
  t.is(
    await secretOf(await toolsThat(t, 'echo "fido2-assert: fido_dev_open x: FIDO_ERR_RX" >&2; exit 1')),
    'E_FIDO_NONE',
  )
  const error = await t.throwsAsync((await toolsThat(t, 'echo "what a device says" >&2; exit 1')).list())
  t.is(codeOf(error), 'E_FIDO_FAILED')
  t.notRegex(error!.message, /device says/)
})

test('the list: paths may hold spaces, and other lines are none', async (t) => {
  const lines = [
    '/dev/hidraw0: vendor=0x1050, product=0x0407 (Yubico YubiKey OTP+FIDO+CCID)',
    'a path: with: vendor=0x0001, product=0x0002 (x)',
    'something else',
  ]
  const tools = await toolsThat(t, lines.map((line) => `echo '${line}'`).join('\n'))
  t.deepEqual(await tools.list(), ['/dev/hidraw0', 'a path: with'])
})

test('FidoLimits.callMs: a program that never ends is ended', async (t) => {
  t.is(await secretOf(await toolsThat(t, 'exec sleep 600', { callMs: 200 })), 'E_FIDO_TOUCH')
})

test('FidoLimits.outputCharacters: one that never stops talking is ended', async (t) => {
  t.is(await secretOf(await toolsThat(t, 'exec yes')), 'E_FIDO_FAILED')
})

test('FidoLimits.credentialBytes, and what is no credential or no secret', async (t) => {
  const printing = (octets: number): Promise<FidoTools> => {
    const line = Buffer.alloc(octets, 7).toString('base64')
    return toolsThat(t, `printf 'a\\nb\\nc\\nd\\n${line}\\n'`)
  }
  const made = async (octets: number): Promise<string> =>
    (await printing(octets)).makeCredential('/dev/null', undefined).then((id) => `${id.length} octets`, codeOf)
  t.is(await made(FidoLimits.credentialBytes), `${FidoLimits.credentialBytes} octets`)
  t.is(await made(FidoLimits.credentialBytes + 1), 'E_FIDO_FAILED')
  t.is(await made(0), 'E_FIDO_FAILED')
  t.is(await secretOf(await printing(32)), 'a secret')
  t.is(await secretOf(await printing(31)), 'E_FIDO_FAILED')
})

test('salt, credential and PIN are in no argument', async (t) => {
  const folder = await temporaryFolder(t)
  const args = join(folder, 'args')
  const tools = await toolsThat(t, `echo "$@" > ${args}\nexit 1`)
  t.is(await secretOf(tools), 'E_FIDO_FAILED')
  t.is(await readFile(args, 'utf8'), '-G -h -v /dev/null\n')
})
