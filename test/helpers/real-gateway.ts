/** A whole gateway of the product in this process: real state folder, real templates, the sample site, plain HTTP. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GatewayInput, RunningGateway } from '#gateway/gateway.ts'
import { startGateway } from '#gateway/gateway.ts'
import type { GatewayState } from '#gateway/state.ts'
import { initState, openState } from '#gateway/state.ts'
import type { CohortKeys } from '#protocol/recognition.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import type { Service } from '#protocol/services/service.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { freePort } from '../../scripts/bench/ports.ts'

export interface RealGateway {
  readonly port: number
  readonly folder: string
  readonly state: GatewayState
  running: RunningGateway
  readonly log: string[]
  /** An invite's one-time code and its cohort's keys, recognised at once. */
  invite(): Promise<{ code: Uint8Array; cohort: CohortKeys; secret: Uint8Array; id: string }>
  /** The process ends, and another one begins with the same state. */
  restart(): Promise<void>
  stop(): Promise<void>
}

const site = join(import.meta.dirname, '..', '..', 'gateway', 'decoy', 'sample-site')

export async function startRealGateway(
  services: readonly Service[] = [],
  more: Pick<GatewayInput, 'socketLimits'> = {},
): Promise<RealGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-test-gateway-'))
  const port = await freePort()
  const config = `name: Test
domain: localhost
port: ${port}
listen: {http: 127.0.0.1:${port}}
decoy: {folder: ${site}}
templates: [support-chat, gallery, beacon]
`
  await initState(join(folder, 'state'), config)
  const state = await openState(join(folder, 'state'))
  const log: string[] = []
  const start = (): Promise<RunningGateway> =>
    startGateway({ state, templates: compileBuiltins(), services, log: (line) => log.push(line), ...more })
  const gateway: RealGateway = {
    port,
    folder: join(folder, 'state'),
    state,
    running: await start(),
    log,
    invite: async () => {
      const request = { name: 'test', uses: 1, days: 1, role: 'member' } as const
      const [made] = await state.members.createInvites(1, request, Date.now())
      gateway.running.sessions.setCohorts(
        state.members.cohorts(Date.now()).map(({ id, secret }) => ({ id, keys: deriveCohort(secret) })),
      )
      const { secret } = made!.cohort
      return { code: made!.code, cohort: deriveCohort(secret), secret, id: made!.info.id }
    },
    restart: async () => {
      await gateway.running.stop()
      gateway.running = await start()
    },
    stop: async () => {
      await gateway.running.stop()
      await state.close()
      rmSync(folder, { recursive: true })
    },
  }
  return gateway
}
