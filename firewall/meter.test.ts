/** Endpoints and cores that misbehave, played against the flow meter; and people who only chat. */
import test from 'ava'
import { DAY, HOUR, KB, MB, MINUTE, Play, SECOND } from './fixtures/meter-play.ts'
import { Meter } from './meter.ts'
import type { Measure } from './meter-limits.ts'
import { envelopes, MEASURES, MeterLimits } from './meter-limits.ts'

interface Hostile {
  readonly what: string
  readonly finds: Measure
  /** False where being slowed down is all it takes: what is counted is how fast. */
  readonly cut?: false
  readonly play: (play: Play) => void
}

/** Each goes on until it is cut off, or for so many times. */
const many = 20_000
const joined =
  (once: (play: Play) => void, every = 50) =>
  (play: Play) => {
    play.join()
    play.until('cut', many, () => {
      once(play)
      play.now += every
    })
  }

const hostile: readonly Hostile[] = [
  {
    what: 'a core sends away all it has, by the gateway',
    finds: 'pulled',
    play: joined((p) => p.exchange({ up: 256 * KB, down: 500 })),
  },
  {
    what: 'a core and a gateway exchange much, both ways',
    finds: 'up',
    play: joined((p) => p.exchange({ up: 256 * KB, down: 64 * KB })),
  },
  {
    what: 'a gateway floods with what nobody asked for',
    finds: 'pushed',
    play: joined((p) => p.exchange({ down: 350 * KB, up: 700 })),
  },
  {
    what: 'a gateway floods, and has the client ask at length for it',
    finds: 'down',
    play: joined((p) => p.exchange({ down: 350 * KB, up: 30 * KB })),
  },
  {
    what: 'answers come at once and empty, so that the client asks faster',
    finds: 'small',
    cut: false,
    play: joined((p) => p.exchange()),
  },
  {
    what: 'every connection is closed after one answer',
    finds: 'connections',
    cut: false,
    play: joined((p) => {
      p.count({ connections: 1 })
      p.exchange({ up: 9 * KB })
    }, 160),
  },
  {
    what: 'a gateway forgets the session after each first contact',
    finds: 'contacts',
    play: joined((p) => {
      p.count({ contacts: 1 })
      p.exchange()
      p.prove()
    }, 500),
  },
  {
    what: 'a core says that a website is the gateway',
    finds: 'unproven',
    play: (p) => p.until('cut', many, () => p.exchange({ up: 128 * KB, down: 64 * KB, authentic: true })),
  },
  {
    what: 'a core goes on after the gateway has gone and somebody else stands there',
    finds: 'unproven',
    play: (p) => {
      p.join()
      p.go(4 * HOUR, 50 * SECOND, () => p.exchange(), false)
      p.until('cut', many, () => p.exchange({ up: 128 * KB, down: 64 * KB }))
    },
  },
  {
    what: 'somebody poses as the gateway: no answer is authentic',
    finds: 'foreign',
    play: joined((p) => p.exchange({ authentic: false, up: 9 * KB }), 800),
  },
  {
    what: 'an address that only collects who comes by',
    finds: 'silence',
    play: (p) => {
      p.join()
      p.until('cut', many, () => {
        p.exchange({ authentic: false })
        p.now += 2 * MINUTE
      })
    },
  },
  {
    what: 'large requests are had repeated, without a true answer',
    finds: 'foreign-up',
    play: joined((p) => p.exchange({ authentic: false, up: 512 * KB, down: 64 * KB }), 3 * SECOND),
  },
  {
    what: 'pages as large as they may be, in the place of answers',
    finds: 'foreign-down',
    play: joined((p) => p.exchange({ authentic: false, up: 160 * KB, down: 2 * MB }), 7 * SECOND),
  },
  {
    what: 'every answer sends the client to another site',
    finds: 'redirects',
    play: joined((p) => p.exchange({ leadsAway: true, authentic: false, up: 9 * KB }), 8 * SECOND),
  },
  {
    what: 'answers without an end, and such that are no HTTP',
    finds: 'malformed',
    play: joined((p) => p.count({ malformed: 1 }), 8 * SECOND),
  },
  {
    what: 'header fields are stuffed',
    finds: 'headers',
    play: joined((p) => p.exchange({ header: 15 * KB, down: 17 * KB }), 10 * SECOND),
  },
  {
    what: 'answers drip, octet by octet',
    finds: 'drip',
    play: joined((p) => {
      p.now += 5 * MINUTE
      p.exchange({ bodyMs: 290 * SECOND })
    }),
  },
  {
    what: 'the clock of the endpoint jumps from day to day',
    finds: 'clock',
    play: (p) => {
      let days = 0
      joined((each) => each.exchange({ ahead: (days++ % 3) * DAY, authentic: false }), 30 * SECOND)(p)
    },
  },
  {
    what: 'lists of gateways are offered one after another, none of them good',
    finds: 'lists',
    play: joined((p) => p.count({ lists: 1 }), SECOND),
  },
  {
    what: 'a core knocks at every endpoint of a list full of them',
    finds: 'fan-out',
    play: (p) => {
      for (let i = 0; i < 40; i++) p.exchange({ authentic: false }, { id: `e${i}`, kind: 'gateway' })
    },
  },
  {
    what: 'a tracker that is asked for more than a tracker has',
    finds: 'pulled',
    play: (p) =>
      p.until('cut', many, () => {
        p.prove()
        p.exchange({ up: 16 * KB, down: 100 })
        p.now += 500
      }),
  },
]

const onTracker = (what: string): boolean => what.startsWith('a tracker')

for (const { what, finds, play, cut = true } of hostile) {
  test(`found: ${what} (${finds})`, (t) => {
    const stage = new Play(onTracker(what) ? 'tracker' : 'gateway')
    play(stage)
    const first = stage.news.find(({ reason }) => reason === finds)
    t.truthy(first, stage.found.join(', '))
    t.is(stage.news[0]!.reason, finds, 'and for no other reason first')
    t.is(stage.found.includes(`cut ${finds}`), cut)
    // Slowed down before it is cut, except where others go on and it alone does not get through.
    t.is(stage.found.includes(`throttled ${finds}`), finds !== 'fan-out')
    if (!cut) return
    stage.exchange({}, first!.endpoint === 'e' ? stage.endpoint : { id: first!.endpoint, kind: 'gateway' })
    t.true(stage.refused > 0)
  })
}

// ---- people ------------------------------------------------------------------------------------------------------------

const idle = (play: Play, ms: number): void => play.go(ms, 50 * SECOND, () => play.exchange({ ahead: 700 }))

const upload = (play: Play, octets: number): void => {
  for (let sent = 0; sent < octets; sent += 256 * KB) {
    play.exchange({ up: 256 * KB + 600, down: 900 })
    play.now += 60
  }
}

const download = (play: Play, octets: number, piece = 256 * KB): void => {
  for (let come = 0; come < octets; come += piece) {
    play.exchange({ up: 1_300, down: piece + 400 })
    play.now += 60
  }
}

/** Three exchanges that rest as the client does after failures, while nothing but errors come. */
const outage = (play: Play, ms: number, once: () => void, most = 30 * SECOND): void => {
  const end = play.now + ms
  for (let failures = 1; play.now < end; failures++) {
    for (let loop = 0; loop < 3; loop++) once()
    const longest = failures > 30 ? most : 8 * SECOND
    play.now += 0.75 * Math.min(longest, 200 * 2 ** Math.min(failures, 10))
  }
}

const ordinary: Readonly<Record<string, (play: Play) => void>> = {
  'a conversation for two hours': (p) =>
    p.go(2 * HOUR, 20 * SECOND, () => {
      p.exchange({ up: 2_600 })
      p.exchange()
    }),
  'idle for a week': (p) => idle(p, 7 * DAY),
  'two hundred messages in a minute': (p) => {
    for (let i = 0; i < 400; i++) {
      p.exchange()
      p.now += 150
    }
  },
  'a file of 10 MB sent': (p) => upload(p, 10 * MB),
  'a file of 10 MB received': (p) => download(p, 10 * MB),
  'a film of 100 MB sent, then received': (p) => {
    upload(p, 100 * MB)
    p.now += HOUR
    download(p, 100 * MB)
  },
  'a file of 10 MB in a template of small parcels': (p) => download(p, 10 * MB, 4 * KB),
  'catching up after a week: a whole mailbox': (p) => {
    p.now += 7 * DAY
    p.join()
    download(p, 64 * MB, 64 * KB)
  },
  'a bad network: every second exchange breaks, for eight hours': (p) =>
    p.go(8 * HOUR, 25 * SECOND, (i) => {
      p.count({ connections: 1 })
      if (i % 2 === 0) p.exchange()
    }),
  'connections freeze after 16 kB: 10 MB take 640 of them': (p) => {
    for (let i = 0; i < 640; i++) {
      p.count({ connections: 1 })
      p.exchange({ down: 16 * KB })
      p.now += 400
    }
  },
  'an edge answers 503 for an hour, a file under way': (p) => {
    outage(p, HOUR, () => p.exchange({ up: 256 * KB, down: 900, authentic: false }))
    p.join()
  },
  'the network is away for three hours': (p) => {
    outage(p, 3 * HOUR, () => p.count({ connections: 1 }))
    p.join()
  },
  'the website alone answers, for a night': (p) => {
    p.go(
      10 * HOUR,
      45 * SECOND,
      () => {
        p.exchange({ down: 100 * KB, authentic: undefined })
        p.count({ contacts: 1 })
        p.exchange({ down: 100 * KB, authentic: false })
      },
      false,
    )
    p.join()
  },
  'a laptop that sleeps every night': (p) => {
    for (let day = 0; day < 7; day++) {
      p.go(14 * HOUR, 40 * SECOND, () => p.exchange({ ahead: 0 }))
      p.now += 10 * HOUR
      p.count({ connections: 3 })
      upload(p, 2 * MB)
      p.prove()
    }
  },
  'the clock of this machine is set, forth and back': (p) => {
    for (const step of [HOUR, -HOUR, 2 * DAY, -2 * DAY]) {
      idle(p, HOUR)
      p.now += step
    }
    idle(p, HOUR)
  },
  'a gateway whose clock is wrong by three hours': (p) => p.go(DAY, 30 * SECOND, () => p.exchange({ ahead: 3 * HOUR })),
  'two invites with eight gateways each, joined at once': (p) => {
    const all = Array.from({ length: 16 }, (_, i) => ({ id: `g${i}`, kind: 'gateway' as const }))
    for (const each of all) p.exchange({ authentic: undefined }, each)
    for (const each of all) p.join(each)
  },
  'a group of fifty who all talk for five minutes': (p) => p.go(5 * MINUTE, 120, () => p.exchange()),
  'templates are rotated: a pack is fetched and tried': (p) => {
    for (let i = 0; i < 6; i++) {
      download(p, 256 * KB, 64 * KB)
      for (let trial = 0; trial < 4; trial++) p.exchange({ authentic: trial > 1 })
      idle(p, HOUR)
    }
  },
  'a link of 2 kB a second': (p) => {
    for (let i = 0; i < 20; i++) {
      p.now += 128 * SECOND
      p.exchange({ down: 256 * KB, bodyMs: 128 * SECOND })
    }
  },
  'cover traffic every three seconds, for a day': (p) => p.go(DAY, 3 * SECOND, () => p.exchange()),
  'a gateway that is started anew ten times in an hour': (p) => {
    for (let i = 0; i < 10; i++) {
      p.exchange({ authentic: false })
      p.join()
      p.now += 6 * MINUTE
    }
  },
  'the website moves to www: every page leads there': (p) =>
    p.go(2 * HOUR, MINUTE, () => p.exchange({ down: 900, authentic: undefined })),
}

for (const [what, play] of Object.entries(ordinary)) {
  test(`ordinary: ${what}`, (t) => {
    const stage = new Play()
    stage.join()
    play(stage)
    t.deepEqual(stage.found, [])
    t.is(stage.refused, 0)
  })
}

test('counts', (t) => {
  const detected = hostile.filter(({ what, finds, play }) => {
    const stage = new Play(onTracker(what) ? 'tracker' : 'gateway')
    play(stage)
    return stage.found.some((each) => each.endsWith(` ${finds}`))
  })
  const flagged = Object.values(ordinary).filter((play) => {
    const stage = new Play()
    stage.join()
    play(stage)
    return stage.flagged
  })
  t.log(
    JSON.stringify({
      ...{ hostile: hostile.length, detected: detected.length },
      ...{ ordinary: Object.keys(ordinary).length, flagged: flagged.length },
    }),
  )
  t.true(hostile.length >= 10 && detected.length === hostile.length)
  t.true(Object.keys(ordinary).length >= 20 && flagged.length === 0)
})

test('every measure has somebody who is found by it', (t) => {
  t.deepEqual(
    MEASURES.filter((measure) => !hostile.some(({ finds }) => finds === measure)),
    [],
  )
})

// ---- what becomes of it ------------------------------------------------------------------------------------------------

const flood = (play: Play): void =>
  play.until('cut', many, () => play.exchange({ authentic: false, up: 512 * KB, down: KB }))

test('a cut ends by itself, and the endpoint is on trial before all is as it was', (t) => {
  const play = new Play()
  play.join()
  flood(play)
  t.deepEqual(play.found, ['throttled foreign-up', 'cut foreign-up'])
  play.exchange()
  t.is(play.refused, 1)
  play.now += MeterLimits.cutMs
  play.exchange()
  t.is(play.refused, 1)
  t.is(play.meter.view(play.endpoint, play.now).condition, 'throttled')
  play.now += HOUR
  play.exchange()
  t.deepEqual(
    play.news.map(({ kind }) => kind),
    ['throttled', 'cut', 'throttled', 'eased'],
  )
  t.is(play.meter.view(play.endpoint, play.now).condition, 'open')
})

test('each further cut lasts twice as long, up to the most, and a day without one counts less', (t) => {
  const play = new Play()
  const lasted: number[] = []
  for (let i = 0; i < 8; i++) {
    play.news.length = 0
    flood(play)
    const { leftMs } = play.meter.view(play.endpoint, play.now)
    lasted.push(leftMs / MeterLimits.cutMs)
    play.pass(leftMs)
  }
  t.deepEqual(lasted, [1, 2, 4, 8, 16, 32, 36, 36])
  for (let day = 0; day < 9; day++) play.go(DAY, HOUR, () => play.exchange())
  play.news.length = 0
  flood(play)
  t.true(play.meter.view(play.endpoint, play.now).leftMs < 36 * MeterLimits.cutMs)
})

test('the person says that it is well: all is as it was, and what is usual may be twice as much', (t) => {
  const play = new Play()
  play.join()
  const much = (): void => play.exchange({ up: 512 * KB, down: KB })
  play.until('cut', many, much)
  const before = play.now
  play.meter.allow(play.endpoint, play.now)
  t.is(play.meter.view(play.endpoint, play.now).condition, 'open')
  play.news.length = 0
  let sent = 0
  play.until('throttled', many, () => {
    much()
    sent += 512 * KB
  })
  t.is(play.now, before, 'nothing was slowed down')
  t.true(sent > 1.9 * envelopes.gateway.pulled.burst && sent < 2.2 * envelopes.gateway.pulled.burst)
})

test('what is usual is learned from good hours, and no further than the bound for everybody', (t) => {
  const play = new Play()
  play.join()
  const hourOf = (octets: number): void => {
    upload(play, octets)
    play.now += HOUR
    play.prove()
  }
  // Grows by half from hour to hour, which nobody who bursts in would.
  for (let octets = 16 * MB; octets < 900 * MB; octets *= 1.5) hourOf(octets)
  t.deepEqual(play.found, [])
  const most = envelopes.gateway.pulled.burst * envelopes.gateway.pulled.grows
  let sent = 0
  play.until('throttled', many, () => {
    play.exchange({ up: 512 * KB, down: KB })
    sent += 512 * KB
  })
  t.true(play.flagged && sent <= 1.1 * most, `${sent / most}`)
})

test('an hour out of bounds teaches nothing', (t) => {
  const play = new Play()
  play.join()
  const sentUntil = (): number => {
    play.news.length = 0
    let sent = 0
    play.until('throttled', many, () => {
      play.exchange({ up: 512 * KB, down: KB })
      sent += 512 * KB
    })
    return sent
  }
  const first = sentUntil()
  play.go(6 * HOUR, 10 * MINUTE, () => play.exchange())
  t.true(sentUntil() < 1.05 * first)
})

test('ending the program makes it forget nothing', (t) => {
  const play = new Play()
  play.join()
  flood(play)
  const stored = play.meter.save(play.now)
  const again = new Meter(structuredClone(stored), play.now + MINUTE, () => {})
  const leave = again.ask(play.endpoint, play.now + MINUTE)
  t.like(leave, { cut: 'foreign-up' })
  t.deepEqual(again.save(play.now + MINUTE).get('e')!.state.cuts, 1)
})

test('MeterLimits.unsavedShare: no more than a part of a bucket is lost with a crash', (t) => {
  const play = new Play()
  play.join()
  play.meter.save(play.now)
  let unsaved = 0
  while (!play.meter.wantsSaving(play.now)) {
    play.exchange({ up: 512 * KB, down: KB })
    unsaved += 512 * KB
  }
  t.true(unsaved <= 2 * MeterLimits.unsavedShare * envelopes.gateway.pulled.burst, `${unsaved / MB}`)
  play.meter.save(play.now)
  t.false(play.meter.wantsSaving(play.now))
  play.exchange()
  play.now += MeterLimits.unsavedMs
  t.true(play.meter.wantsSaving(play.now))
})

test('MeterLimits.stepMs: a clock set forward does not end a long cut, and one set back does not stop its end', (t) => {
  const play = new Play()
  for (let i = 0; i < 7; i++) {
    play.news.length = 0
    flood(play)
    if (i < 6) play.pass(play.meter.view(play.endpoint, play.now).leftMs)
  }
  const { leftMs } = play.meter.view(play.endpoint, play.now)
  t.is(leftMs, MeterLimits.cutMostMs)
  play.now -= 365 * DAY
  t.is(play.meter.view(play.endpoint, play.now).leftMs, leftMs)
  play.now += HOUR
  t.is(play.meter.view(play.endpoint, play.now).leftMs, leftMs - HOUR)
  play.now += 365 * DAY
  t.is(play.meter.view(play.endpoint, play.now).leftMs, leftMs - HOUR - MeterLimits.stepMs)
})

test('MeterLimits.flows: endpoints that come and go do not push out what was cut', (t) => {
  const play = new Play()
  flood(play)
  for (let i = 0; i < 2 * MeterLimits.flows; i++) play.meter.proved({ id: `x${i}`, kind: 'gateway' }, play.now)
  t.is(play.meter.save(play.now).size, MeterLimits.flows)
  play.exchange()
  t.is(play.refused, 1)
})
