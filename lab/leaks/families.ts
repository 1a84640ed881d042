/** All attempts, by family. */
import type { Family } from './attempt.ts'
import { datagrams } from './attempts/datagrams.ts'
import { ffi } from './attempts/ffi.ts'
import { handles } from './attempts/handles.ts'
import { hiddenRoads } from './attempts/hidden.ts'
import { web } from './attempts/http.ts'
import { names } from './attempts/names.ts'
import { processes } from './attempts/processes.ts'
import { sockets } from './attempts/sockets.ts'

/** What JavaScript can see, and so can be closed inside a process. */
export const above: Readonly<Record<string, Family>> = {
  sockets,
  web,
  names,
  datagrams,
  processes,
  hidden: hiddenRoads,
}

/** What it cannot: raw handles and system calls. */
export const below: Readonly<Record<string, Family>> = { handles, ffi }

/** Start something, or look into this process, and reach nobody by themselves: where the kernel alone binds, they may. */
const harmless: ReadonlySet<string> = new Set([
  'child_process.fork',
  'cluster.fork',
  'the test runner’s processes',
  'net._createServerHandle',
])

/** What goes to the network where nothing refuses it. */
export const reaching: Readonly<Record<string, Family>> = Object.fromEntries(
  Object.entries({ ...above, ...below })
    .filter(([name]) => name !== 'hidden')
    .map(([name, family]) => [
      name,
      Object.fromEntries(Object.entries(family).filter(([attempt]) => !harmless.has(attempt))),
    ]),
)
