/** The service by which members learn of further gateways of their operator: a list that is signed elsewhere. Spec section 9.3. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { empty } from '#protocol/bytes.ts'
import { GatewayListLimits } from '#protocol/gateway-list.ts'
import type { Service } from '#protocol/services/service.ts'

/** In the state folder; made by `sotto gateway announce`, also on another machine. */
export const GATEWAY_LIST_FILE = 'gateways.list'

/** Read anew for each question, so that a new list needs no restart. */
export function gatewayListService(folder: string): Service {
  return {
    unary: { 'gateways.list': async () => ({ list: await readList(join(folder, GATEWAY_LIST_FILE)) }) },
    subscribe: {},
  }
}

/** Nothing where there is no list, or one that no member would look at. */
async function readList(path: string): Promise<Uint8Array> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return empty
  try {
    const { size } = await file.stat()
    return size > GatewayListLimits.bytes ? empty : new Uint8Array(await file.readFile())
  } finally {
    await file.close()
  }
}
