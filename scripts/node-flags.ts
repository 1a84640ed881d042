/**
 * Flags of Node under which both programs run. `scripts/sotto` passes the same (test/node-flags.test.ts); the launcher
 * hands those of the heap on to the core (firewall/core-process.ts).
 *
 * V8 counts octets in buffers apart from objects and collects everything whenever a few tens of MB of them are new: under
 * bulk transfer a full collection every 3 MB, half the time of all three processes. Counted together with the objects,
 * and with the first collection at 96 MB, there is almost none, and resident memory stays the same.
 */
const heapFlags: readonly string[] = ['--external-memory-accounted-in-global-limit', '--initial-old-space-size=96']

/** SIGUSR1 would open Node's debugger in the process that has the network. */
export const memberFlags: readonly string[] = [...heapFlags, '--disable-sigusr1']

/** New objects of a gateway die young: a nursery of 8 MiB instead of 16 costs no time and spares 10 KiB a member at 5,000. */
export const gatewayFlags: readonly string[] = [...heapFlags, '--max-semi-space-size=8']
