import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { Broker } from '#firewall/permit.ts'
import { gatewayListService } from '#gateway/services/gateways.ts'
import { openTunnel, startGateway } from '#test/helpers/pair.ts'
import { watchGatewayList } from './gateway-lists.ts'

test('the list is asked for once, and offered to the firewall as it came', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-list-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const list = new Uint8Array(300).fill(7)
  await writeFile(join(folder, 'gateways.list'), list)
  const gateway = await startGateway([gatewayListService(folder)])
  const tunnel = openTunnel(gateway.port)
  const offered = new Promise<readonly [string, Uint8Array]>((resolve, reject) => {
    let times = 0
    const offerList: Broker['offerList'] = async (endpoint, bytes) => {
      if (++times > 1) reject(new Error('twice'))
      resolve([endpoint, bytes])
      return []
    }
    watchGatewayList(tunnel, { offerList } as Broker)
  })
  t.deepEqual(await offered, ['e', list])
  await tunnel.stop()
  await gateway.stop()
})
