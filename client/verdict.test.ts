import test from 'ava'
import { refusesMethod, verdict } from './verdict.ts'

const answer = (status: number, location?: string) => ({
  status,
  body: new Uint8Array(0),
  header: (name: string) => (name === 'location' ? location : undefined),
})

test('what an answer means that is not the gateway’s', (t) => {
  const of = (status: number, location?: string) => verdict(answer(status, location), 'site.example')
  t.is(of(503), 'E_PATH_BUSY')
  t.is(of(429), 'E_PATH_BUSY')
  t.is(of(413), 'E_NET_SIZE')
  t.is(of(431), 'E_NET_SIZE')
  t.is(of(511), 'E_NET_PORTAL')
  t.is(of(302, 'http://login.hotel.example/'), 'E_NET_PORTAL')
  t.is(of(307, '//portal.example/x'), 'E_NET_PORTAL')
  for (const status of [200, 404, 405]) t.is(of(status), undefined, String(status))
})

test('a website that redirects within itself, or has moved for good, is no login page', (t) => {
  for (const [status, location] of [
    [302, '/login'],
    [302, 'https://www.site.example/'],
    [302, 'https://site.example/a'],
    [301, 'https://elsewhere.example/'],
    [302, undefined],
    [302, 'http://'],
  ] as const)
    t.is(verdict(answer(status, location), 'site.example'), undefined, `${status} ${location}`)
})

test('refusals that may be for the method', (t) => {
  t.deepEqual(
    [200, 403, 404, 405, 501].map((status) => refusesMethod(answer(status))),
    [false, true, false, true, true],
  )
})
