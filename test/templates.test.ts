/** Every built-in template alone carries a member's whole traffic, over real sockets and the gateway as it ships. */
import test from 'ava'
import { realClockwork } from '#client/clockwork.ts'
import { Tunnel } from '#client/tunnel.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { Service } from '#protocol/services/service.ts'
import { Priority } from '#protocol/session/stream.ts'
import { compileBuiltins } from '../camouflage-templates/builtin.ts'
import { testPermit } from './helpers/pair.ts'
import { startRealGateway } from './helpers/real-gateway.ts'

const service: Service = {
  unary: { 'test.echo': (args) => args },
  subscribe: {
    'test.count': async (_args, _caller, push) => {
      for (let i = 0; i < 5; i++) await push(i)
    },
  },
}

for (const template of compileBuiltins()) {
  test(`${template.id} carries first contact, messages, what is pushed, and bulk both ways`, async (t) => {
    const gateway = await startRealGateway([service])
    const { code, cohort } = await gateway.invite()
    const membership = { kind: 'redeem', code, credentialId: randomBytes(16), credentialKey: randomBytes(32) } as const
    const permit = testPermit(gateway.port, { gatewayKey: gateway.state.gatewayKey, cohort, membership })
    const strangers: number[] = []
    const watched: typeof permit = {
      ...permit,
      exchange: async (request, options) => {
        const answer = await permit.exchange(request, options)
        if (answer.status >= 400) strangers.push(answer.status)
        return answer
      },
    }
    const tunnel = new Tunnel({ permit: watched, template, clockwork: realClockwork, preferredAead: 1 })
    for (let i = 0; i < 5; i++) t.is(await tunnel.call('test.echo', i), i)
    const bodies = [300, 700, 5_000, 60_000, 60_000, 60_000].map((length) => randomBytes(length))
    const options = { priority: Priority.bulk }
    const answers = await Promise.all(bodies.map((body) => tunnel.call('test.echo', { body }, options)))
    t.deepEqual(
      answers.map((each) => Buffer.from((each as { body: Uint8Array }).body).equals(bodies[answers.indexOf(each)]!)),
      bodies.map(() => true),
    )
    const seen: unknown[] = []
    await tunnel.subscribe(
      'test.count',
      () => ({}),
      (item) => seen.push(item),
    ).ended
    t.deepEqual(seen, [0, 1, 2, 3, 4])
    t.deepEqual(strangers, [], 'every exchange was recognised')
    await tunnel.stop()
    await gateway.stop()
  })
}
