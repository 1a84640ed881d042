/** `sotto doctor`, against a gateway process, and against one with something wrong before it. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { realClockwork } from '#client/clockwork.ts'
import { examine } from '#client/doctor/doctor.ts'
import type { Finding } from '#client/doctor/finding.ts'
import type { Broker } from '#firewall/permit.ts'
import { isSottoError } from '#protocol/errors.ts'
import { member } from './helpers/command.ts'
import { joined, startedGateway } from './helpers/command-gateway.ts'
import { startGateway, testPermit } from './helpers/pair.ts'
import { plainTemplate } from './helpers/plain-template.ts'

const IDS = [
  'modes',
  'front',
  'clock',
  'paths',
  'headers',
  'cache',
  'recognised',
  'body',
  'buffering',
  'hold',
  'repeats',
] as const

test('a sound gateway; one that is away; a folder that is open', async (t) => {
  const gateway = await startedGateway(t)
  const anna = await joined(t, gateway, 'Anna')
  const look = async (): Promise<{ status: number | null; findings: Finding[] }> => {
    const { out, status } = await member(t, anna, ['doctor', '--quick', '--json'])
    return { status, findings: JSON.parse(out) as Finding[] }
  }
  const sound = await look()
  t.deepEqual(
    sound.findings.map(({ id, level }) => [id, level]),
    IDS.map((id) => [id, 'ok']),
  )
  t.is(sound.status, 0)
  t.is(sound.findings[1]!.gateway, 'Test')
  const text = await member(t, anna, ['doctor', '--quick', '--look', 'gallery'])
  t.regex(text.out, /^ok {4}Test, recognised: The gateway knows you \(\d+ ms, gallery\)\.$/m)

  await gateway.stop()
  const away = await look()
  t.is(away.status, 1)
  const [, front] = away.findings
  t.is(front?.id, 'front')
  t.is(front?.level, 'fail')
  t.regex(front!.what, /E_PATH_REFUSED/)
  t.true(front!.why.length > 0 && front!.mend.length > 0)
})

/** What the doctor says of a gateway behind `fault`, by check. */
async function seenThrough(
  t: ExecutionContext,
  arrange: (gateway: Awaited<ReturnType<typeof startGateway>>) => void,
): Promise<Record<string, Finding>> {
  const gateway = await startGateway([])
  t.teardown(() => gateway.stop())
  arrange(gateway)
  const folder = await mkdtemp(join(tmpdir(), 'sotto-doctor-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const permit = testPermit(gateway.port)
  const broker = { endpoints: async () => [permit.endpoint], permit: async () => permit } as unknown as Broker
  const findings = await examine({
    ...{ broker, folder, clockwork: realClockwork, templates: [plainTemplate], look: undefined, holdMs: 2_000 },
  })
  return Object.fromEntries(findings.map((finding) => [finding.id, finding]))
}

test('an edge that leaks, keeps answers, refuses bodies and ends what waits is named for each', async (t) => {
  const found = await seenThrough(t, (gateway) => {
    gateway.fault = (request, response, pass) => {
      if (!request.url!.startsWith('/plain')) return pass()
      response.setHeader('x-accel-buffering', 'no')
      response.setHeader('age', '7')
      if (Number(request.headers['content-length'] ?? 0) > 4_000) {
        response.writeHead(413).end()
        request.resume()
        return
      }
      const cut = setTimeout(() => request.socket.destroy(), 1_000)
      response.once('close', () => clearTimeout(cut))
      pass()
    }
  })
  const levels = Object.fromEntries(Object.values(found).map(({ id, level }) => [id, level]))
  t.deepEqual(levels, {
    ...{ modes: 'ok', front: 'ok', recognised: 'ok', buffering: 'ok', repeats: 'ok' },
    ...{ clock: 'ok', paths: 'warn', headers: 'fail', cache: 'fail', body: 'warn', hold: 'warn' },
  })
  t.regex(found.headers!.what, /x-accel-buffering/)
  t.regex(found.cache!.what, /POST \/plain/)
  t.regex(found.body!.what, /status 413/)
  t.regex(found.hold!.what, /after 1 s \(E_PATH/)
  for (const { level, mend } of Object.values(found)) t.is(mend === '', level === 'ok')
})

test('a website whose clock is wrong by an hour: its members are not known to its gateway', async (t) => {
  const found = await seenThrough(t, (gateway) => {
    gateway.fault = (request, response, pass) => {
      if (request.url === '/') response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString())
      pass()
    }
  })
  t.is(found.clock?.level, 'warn')
  t.regex(found.clock!.what, /36\d\d s behind this one/)
  t.is(found.recognised?.level, 'fail')
  t.is(found.hold, undefined, 'nothing is asked as a member by somebody who is none')
})

test('somebody who is no member is told; the session of the look is ended; a folder that is open is named', async (t) => {
  const gateway = await startGateway([])
  t.teardown(() => gateway.stop())
  const folder = await mkdtemp(join(tmpdir(), 'sotto-doctor-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await chmod(folder, 0o755)
  const permit = testPermit(gateway.port)
  const broker = { endpoints: async () => [permit.endpoint], permit: async () => permit } as unknown as Broker
  const input = { broker, folder, clockwork: realClockwork, templates: [plainTemplate], look: undefined, holdMs: 200 }
  const findings = await examine(input)
  t.is(findings[0]!.level, 'fail')
  t.regex(findings[0]!.mend, /chmod 700/)
  t.is(findings.find(({ id }) => id === 'recognised')?.level, 'ok')
  t.is(gateway.sessions.count, 0)
  gateway.sessions.setCohorts([])
  const stranger = (await examine(input)).find(({ id }) => id === 'recognised')
  t.is(stranger?.level, 'fail')
  t.regex(stranger!.what, /E_NOT_RECOGNISED/)
  const nobody = { ...broker, endpoints: async () => [] } as unknown as Broker
  const error = await t.throwsAsync(examine({ ...input, broker: nobody }))
  t.true(isSottoError(error, 'E_NOT_JOINED'))
})
