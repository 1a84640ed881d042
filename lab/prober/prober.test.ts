/** Probes behind a real nginx and a real Caddy: what a stranger sees of a gateway is the website. The clock: docs/lab.md. */
import test from 'ava'
import { concat, u16, u32 } from '#protocol/bytes.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import {
  decodeHeaders,
  FrameKind,
  frame,
  headerBlock,
  readFrames,
  request,
  requestHeaders,
  tellFrames,
} from './http2.ts'
import { reasonFor } from './known.ts'
import { Lines } from './pairs.ts'
import type { Observation } from './probe.ts'
import { head, http1, nameOf, octets } from './probe.ts'
import { noticesFlaws, probeAll, probeClocks, strangersProbes, tellDifference } from './prober.ts'
import { probes } from './scenario.ts'
import { tellRecords } from './tls-records.ts'
import { hasCaddy, hasNginx, openWorld } from './world.ts'

/** The built-in templates take turns: each is probed behind one of the two, which takes half of the time. */
const shares = {
  nginx: compileBuiltins('node').filter((_, at) => at % 2 === 0),
  caddy: compileBuiltins('node').filter((_, at) => at % 2 === 1),
} as const

for (const front of ['nginx', 'caddy'] as const) {
  test(`behind ${front} no probe tells a gateway from the website`, async (t) => {
    t.timeout(240_000)
    if (!(front === 'nginx' ? hasNginx() : hasCaddy())) {
      t.log(`${front} is not installed here: nothing was tested`)
      t.pass()
      return
    }
    const world = await openWorld({ front, timing: false })
    t.teardown(() => world.stop())
    const { probes: asked, differences, answeredByDesign, notAnswered } = await probeAll(world, shares[front])
    t.deepEqual(differences.map(tellDifference), [])
    t.deepEqual(notAnswered, [])
    t.is(answeredByDesign, 2 * shares[front].length)
    const names = new Set(asked.map(nameOf))
    t.is(names.size, asked.length, 'every probe has a name of its own')
    t.true(names.size >= 900, String(names.size))
    t.true((await noticesFlaws(world))! > 0, 'a front with a flaw is noticed')
    const clocks = await probeClocks(world, shares[front])
    t.is(clocks.probes.length, 6 * shares[front].length)
    t.deepEqual(clocks.differences.map(tellDifference), [])
  })
}

test('the clock: pairs and races come to an end, and each kind gets its own answers', async (t) => {
  if (!hasNginx()) {
    t.log('nginx is not installed here: nothing was tested')
    t.pass()
    return
  }
  const world = await openWorld({ front: 'nginx', timing: true })
  t.teardown(() => world.stop())
  const { gateway, bare } = world.arms!
  let turn = 0
  const random = (): number => (turn++ % 2 === 0 ? 0.1 : 0.9)
  const asked = { gateway: 0, bare: 0 }
  const next = (name: 'gateway' | 'bare') => (): Uint8Array => {
    asked[name]++
    return octets(head('GET', `/${name}/api/features/desktop.json`, ['Connection: keep-alive']))
  }
  const lines = new Lines()
  t.teardown(() => lines.close())
  const times = await lines.takeTurns(
    { port: gateway.port, next: next('gateway') },
    { port: bare.port, next: next('bare') },
    20,
    random,
  )
  t.is(asked.gateway, asked.bare)
  for (const list of [times.a, times.b]) t.true(list.length === 20 && list.every((us) => us > 0))
  const run = (name: string) => (stream: number) => request(stream, requestHeaders('GET', `/${name}/about.html`))
  const outcome = await lines.race(bare.port, run('gateway'), run('bare'), 20, random)
  t.is(outcome.races, 20)
  t.true(outcome.later <= 20 && outcome.by.length === 20)
})

test('options that mean nothing are refused before anything starts', async (t) => {
  for (const args of [['--front', 'other'], ['--pairs', '10'], ['--pairs', 'many'], ['--seed', 'x'], ['--what']]) {
    await t.throwsAsync(probes(args), undefined, args.join(' '))
  }
})

const page = (status: number, words: string): string =>
  `HTTP/1.1 ${status} ${words}\r\nServer: nginx\r\n\r\n<html>\r\n<center>${words}</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`

test('a difference is known where its reason can be why, and nowhere else', (t) => {
  const isKnown = (name: string, seen: Partial<Observation>, expected: Partial<Observation>): boolean => {
    const [group = '', rest = ''] = name.split(': ')
    const closed: Observation = { answer: '', end: 'closed' }
    const probe = http1(group, rest)
    return (
      reasonFor('none', { probe, seen: { ...closed, ...seen }, expected: { ...closed, ...expected } }) !== undefined
    )
  }
  const site = 'HTTP/1.1 401 Unauthorized\r\nDate: now\r\n\r\n{}'
  const noHttp2 = { answer: 'stream 0\n\n', end: 'refused ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' } as const
  t.true(isKnown('h2: ping', noHttp2, { answer: 'stream 0\nsettings' }))
  t.false(isKnown('h2: ping', { answer: 'stream 0\nsettings 1' }, { answer: 'stream 0\nsettings' }))
  t.true(isKnown('size: long path', { answer: site }, { answer: page(414, 'Request-URI Too Large') }))
  t.false(isKnown('size: long path', { answer: site }, { answer: `${site} ` }))
  t.true(isKnown('line: bare line feeds', { answer: page(400, 'Bad Request') }, { answer: site }))
  t.false(isKnown('line: bare line feeds', { answer: site.replace('401', '200') }, { answer: site }))
  t.true(isKnown('slow: silent after a post', { answer: site, end: 'open' }, { answer: site }))
  t.false(isKnown('slow: silent after a post', { answer: `${site}!`, end: 'open' }, { answer: site }))
  t.true(isKnown('header: other host, a picture', { answer: site }, { answer: page(400, 'Bad Request') }))
  t.false(isKnown('header: other host, a picture', { answer: site }, { answer: `${site} ` }))
})

test('what the notice room answers to strangers may not differ in anything', async (t) => {
  const asked = (await strangersProbes(compileBuiltins('node'))).filter(({ group }) => group === 'template')
  const seen = { answer: 'HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n{"code":1}', end: 'closed' } as const
  const faults = [
    { ...seen, answer: seen.answer.replace('nginx', 'node') },
    { ...seen, answer: seen.answer.replace('400', '200') },
    { ...seen, answer: `${seen.answer} ` },
    { ...seen, end: 'open' } as const,
  ]
  const spoken = asked.filter(({ action }) => action.kind === 'http1')
  t.true(spoken.length > 200)
  for (const probe of spoken) {
    for (const fault of faults)
      t.is(reasonFor('none', { probe, seen: fault, expected: seen }), undefined, nameOf(probe))
  }
})

test('frames are read as they are written, and headers as they are', async (t) => {
  const long = 'x'.repeat(300)
  const wire = concat(
    frame(
      FrameKind.headers,
      4,
      1,
      headerBlock([
        [':status', '404'],
        ['x-long', long],
      ]),
    ),
    frame(FrameKind.data, 0, 1, octets('one, ')),
    frame(FrameKind.ping, 1, 0, octets('12345678')),
    frame(FrameKind.data, 1, 1, octets('two')),
    frame(FrameKind.reset, 0, 3, u32(8)),
  )
  const { frames, rest } = readFrames(concat(wire, u16(7)))
  t.is(rest.length, 2)
  const told = await tellFrames(frames)
  t.true(told.includes(`\n  :status: 404\n  x-long: ${long}`), told)
  t.true(told.includes('data 1 one, two'), 'data in one piece, with the flags of its end')
  t.true(told.includes('stream 3\nreset 0 00000008'))
  t.true(told.indexOf('stream 0') < told.indexOf('stream 1\n'))
  // Two answers of one connection; the second refers to a field that the first has left in the table (RFC 7541 section 2.3.2).
  const first = concat(Uint8Array.of(0x88, 0x40, 1), octets('a'), Uint8Array.of(1), octets('b'))
  t.deepEqual(await decodeHeaders([first, Uint8Array.of(0x88, 0xbe), octets('\xff\xff\xff\xff\xff'), first]), [
    [
      [':status', '200'],
      ['a', 'b'],
    ],
    [
      [':status', '200'],
      ['a', 'b'],
    ],
    undefined,
    undefined,
  ])
})

test('records: alerts are told, chance is not', (t) => {
  const hello = (filler: number): Uint8Array =>
    concat(
      octets('\x02\0\0\x2c\x03\x03'),
      new Uint8Array(32).fill(filler),
      octets('\0\x13\x01\0'),
      octets('\0\x04\0\x2b\0\0'),
    )
  const record = (type: number, content: Uint8Array): Uint8Array =>
    concat(Uint8Array.of(type, 3, 3), u16(content.length), content)
  t.is(tellRecords(record(21, Uint8Array.of(2, 40))), 'record 21 3.3 alert 2 40')
  t.is(tellRecords(record(22, hello(1))), tellRecords(record(22, hello(2))))
  t.regex(tellRecords(record(22, hello(1))), /server hello 0 130100 43\/0$/)
  t.is(tellRecords(octets('HTTP/1.1 400')), 'HTTP/1.1 400')
})
