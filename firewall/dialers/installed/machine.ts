/** What a browser needs of this machine besides the network: a process, and a port of the loopback for its gate. */
import { once } from 'node:events'
import type { Server } from 'node:net'

/** The lockdown of a process gives this (`Leave`), to who asked for it first. */
export interface Machine {
  /** Listens on loopback. Rejects with the system's error. */
  listen(server: Server, port: number): Promise<void>
  /** Calls `start`, which may start processes until it returns. */
  starting<T>(start: () => T): T
}

/** For a process that nothing locks. */
export const systemMachine: Machine = Object.freeze({
  listen: async (server: Server, port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  },
  starting: <T>(start: () => T) => start(),
})
