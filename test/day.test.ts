/**
 * A day in the life of a member on a bad network, in simulated time: it sleeps, moves, loses the network, finds it again,
 * and the gateway is restarted. A quarter of a day with the tests, ten days where SOTTO_LONG is set.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import type { Tunnel } from '#client/tunnel.ts'
import { isSottoError } from '#protocol/errors.ts'
import type { Service } from '#protocol/services/service.ts'
import type { Prng } from './helpers/prng.ts'
import { prng } from './helpers/prng.ts'
import { SimulatedNetwork } from './helpers/simulated-network.ts'

const HOUR = 3_600_000
const MINUTE = 60_000
const long = process.env.SOTTO_LONG !== undefined
const hours = long ? 24 : 6
const seeds = Array.from({ length: long ? 10 : 1 }, (_, i) => i + 1)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Octets in use that something holds. */
function heap(): number {
  collect()
  return process.memoryUsage().heapUsed
}

/** What the network does for a while, and then it is as ever again. */
const troubles: Readonly<Record<string, (network: SimulatedNetwork, tunnel: Tunnel, rng: Prng) => number>> = {
  outage: (network, _, rng) => {
    network.weather = 'silent'
    network.strand()
    return 5_000 + rng.below(8 * MINUTE)
  },
  resets: (network, _, rng) => {
    network.weather = 'resets'
    return 1_000 + rng.below(MINUTE)
  },
  refusal: (network, _, rng) => {
    network.weather = 'refuses'
    network.strand()
    return 1_000 + rng.below(2 * MINUTE)
  },
  'another address': (network) => {
    network.strand()
    return 0
  },
  move: (network, tunnel) => {
    network.strand()
    void tunnel.moved()
    return 0
  },
  sleep: (network, _, rng) => {
    const ms = 10_000 + rng.below(rng.chance(0.3) ? HOUR : 5 * MINUTE)
    network.sleep(ms)
    return ms
  },
  loss: (network, _, rng) => {
    network.loss = 0.02 + rng.below(20) / 100
    return rng.below(10 * MINUTE)
  },
  slowness: (network, _, rng) => {
    network.rttMs = 300 + rng.below(2_000)
    return rng.below(10 * MINUTE)
  },
  'idle cut': (network, _, rng) => {
    network.idleCutMs = [10_000, 30_000, 60_000, 125_000][rng.below(4)]!
    return rng.below(40 * MINUTE)
  },
  'restarted gateway': (network) => {
    network.restart()
    return 0
  },
}

function calm(network: SimulatedNetwork): void {
  Object.assign(network, { weather: 'works', rttMs: 80, loss: 0, idleCutMs: Number.POSITIVE_INFINITY })
}

/** Where messages go, and where others come from. Both survive the gateway's restarts, as a mailbox does. */
class Mail {
  readonly stored = new Map<number, number>()
  readonly read: number[] = []
  private feed = 0

  readonly service: Service = {
    unary: {
      'test.put': (args) => {
        const { id } = args as { id: number }
        this.stored.set(id, (this.stored.get(id) ?? 0) + 1)
        return { id }
      },
    },
    subscribe: {
      'test.feed': async (args, _caller, push, signal) => {
        for (let next = (args as { from: number }).from; !signal.aborted; next++) {
          while (this.feed <= next && !signal.aborted) await this.more(signal)
          if (!signal.aborted) await push(next)
        }
      },
    },
  }

  private readonly waiting = new Set<() => void>()

  get written(): number {
    return this.feed
  }

  write(): void {
    this.feed++
    for (const wake of [...this.waiting]) wake()
  }

  private more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.waiting.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}

for (const seed of seeds) {
  // One at a time: the heap is everybody's.
  test.serial(`${hours} hours of sleeping, moving and failing networks, seed ${seed}`, async (t) => {
    t.timeout(long ? HOUR : 600_000)
    const rng = prng(seed)
    const mail = new Mail()
    const network = new SimulatedNetwork(seed, [mail.service])
    const { time } = network
    calm(network)
    const tunnel = network.open()
    const end = time.now + hours * HOUR
    network.sweepFor(hours * HOUR + 30 * MINUTE)

    tunnel.subscribe(
      'test.feed',
      () => ({ from: mail.read.length }),
      (value) => {
        // What comes again after an interruption is known by its number, as a message is.
        if (value === mail.read.length) mail.read.push(value as number)
      },
    )
    // An outbox: what does not get through is sent again, under the same number.
    let sent = 0
    const outbox = new Set<number>()
    const put = async (id: number): Promise<void> => {
      for (;;) {
        try {
          await tunnel.call('test.put', { id })
          outbox.delete(id)
          return
        } catch (error) {
          if (!isSottoError(error, 'E_TUNNEL_TIMEOUT')) throw error
        }
      }
    }
    const write = (): void => {
      if (time.now >= end) return
      mail.write()
      outbox.add(++sent)
      put(sent).catch((error) => t.fail(String(error)))
      time.after(5_000 + rng.below(MINUTE), write)
    }
    write()

    const met = new Map<string, number>()
    const names = Object.keys(troubles)
    const trouble = (): void => {
      calm(network)
      if (time.now >= end) return
      const name = names[rng.below(names.length)]!
      met.set(name, (met.get(name) ?? 0) + 1)
      const lasts = troubles[name]!(network, tunnel, rng)
      time.after(lasts, () => {
        calm(network)
        time.after(20_000 + rng.below(6 * MINUTE), trouble)
      })
    }
    trouble()

    let early = 0
    for (let hour = 1; hour <= hours; hour++) {
      await time.run(() => false, HOUR)
      if (hour === Math.ceil(hours / 4)) early = heap()
    }
    await time.run(() => outbox.size === 0 && mail.read.length === mail.written, 20 * MINUTE)

    t.is(outbox.size, 0, 'everything has gone out')
    t.is(mail.stored.size, sent, 'and has arrived')
    t.deepEqual(
      mail.read,
      Array.from({ length: mail.written }, (_, i) => i),
      'and all that came was read, in order',
    )
    t.true(sent > 60 * hours && met.size >= names.length - 2, `${sent} messages, ${met.size} kinds of trouble`)
    t.is(network.exceeded, 0, 'no more connections than allowed')
    t.true(network.most <= 3 && network.closest >= 500, `${network.most} at once, ${network.closest} ms apart`)
    const growth = heap() - early
    t.true(growth < 6_000_000, `the heap has grown by ${growth} octets`)
    t.true(
      network.timerCount < 20 && network.sessionCount <= 16,
      `${network.timerCount} timers, ${network.sessionCount} sessions`,
    )
    t.log(
      `${sent} messages each way, ${network.exchanges} exchanges, ${tunnel.status.sessions} sessions, heap ${Math.round(growth / 1000)} kB`,
    )
    t.log([...met].map(([name, count]) => `${count} x ${name}`).join(', '))
    await network.close(tunnel)
  })
}
