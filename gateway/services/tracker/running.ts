/** A tracker that runs, from its folder: alone, or inside a gateway. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Millis } from '#protocol/bytes.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import type { ListedTracker } from '#protocol/tracker/tracker-list.ts'
import { RecordStore } from './record-store.ts'
import { loadTracker, RECORDS_FILE, TRACKER_FILE, TRACKER_FOLDER } from './state.ts'
import { Tracker } from './tracker.ts'
import { startTrunkServer, type TrunkServer } from './trunk-server.ts'

const SWEEP_MS = 1_000

export interface RunningTracker {
  readonly tracker: Tracker
  /** Where trunks arrive. */
  readonly port: number | undefined
  stop(): Promise<void>
}

/**
 * @param report one line for the operator: never an address or a key of anybody who asks
 * @throws SottoError E_CONFIG, E_STATE_UNREADABLE, E_DISK_FULL, E_PORT_TAKEN
 */
export async function runTracker(
  folder: string,
  now: () => Millis,
  report: (error: unknown) => void,
): Promise<RunningTracker> {
  const { listen, secret, bytes } = await loadTracker(folder)
  const limits = bytes === undefined ? {} : { bytes }
  const store = await RecordStore.open({ file: join(folder, RECORDS_FILE), limits })
  let server: TrunkServer | undefined
  const tracker = new Tracker({ secret, store, now, limits, onFault: report })
  try {
    server = listen === undefined ? undefined : await startTrunkServer({ tracker, secret, ...listen })
  } catch (error) {
    await store.close()
    throw error
  }
  const sweeper = setInterval(() => void tracker.sweep().catch(report), SWEEP_MS)
  return {
    tracker,
    port: server?.port,
    stop: async () => {
      clearInterval(sweeper)
      await server?.close()
      await store.close()
    },
  }
}

/** The tracker that a gateway is as well: there is a folder of one in its state folder. @throws as `runTracker` */
export async function trackerOf(
  stateFolder: string,
  now: () => Millis,
  report: (error: unknown) => void,
): Promise<RunningTracker | undefined> {
  const folder = join(stateFolder, TRACKER_FOLDER)
  return existsSync(join(folder, TRACKER_FILE)) ? await runTracker(folder, now, report) : undefined
}

/** What a tracker is called in lists. */
export async function listedTracker(folder: string): Promise<ListedTracker> {
  const { listen, address, secret } = await loadTracker(folder)
  const tracker = { key: x25519PublicKey(secret) }
  if (listen === undefined) return tracker
  return { ...tracker, host: address ?? listen.host, port: listen.port }
}
