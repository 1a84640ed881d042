/** The chromium dialer beside the Chromium of this machine, in one run. */
import test from 'ava'
import { openDialers } from '#firewall/dialers/open-dialers.ts'
import { loadProfile } from '#firewall/dialers/profile.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { programOf } from './browsers.ts'
import { capture } from './capture.ts'
import { compare } from './compare.ts'
import { recordOurs } from './ours.ts'
import { recordBrowser } from './visit.ts'

const H2 = ['h2', 'http/1.1']

test('JA4, HTTP/2 and header fields are Chromium’s on every connection, and what else differs is known', async (t) => {
  t.timeout(240_000)
  if (programOf('chromium') === undefined) {
    t.log('Chromium is not installed here: nothing was compared')
    t.pass()
    return
  }
  const shipped = loadProfile('chromium')
  const theirs = { h2: await recordBrowser('chromium', H2), h1: [] }
  const ours = { h2: await recordOurs(shipped, H2), h1: [] }
  const { ja4, h2Equal, headersEqual, gaps } = compare(shipped, theirs, ours)
  for (const gap of gaps) t.log(gap)
  t.true(ja4.equal, `fresh ${ja4.fresh}, resumed ${ja4.resumed}`)
  t.regex(ja4.fresh, /^(\d+) of \1$/)
  t.regex(ja4.resumed, /^([1-9]\d*) of \1$/)
  t.true(h2Equal && headersEqual, gaps.join('\n'))
  const { dialers } = await openDialers({ random: randomBytes, folder: '' })
  const known = dialers.find((dialer) => dialer.describe().family === 'chromium')!.describe().knownLeaks
  const unknown = gaps.filter(
    (gap) => !known.includes(gap) && !/sorted JA3|orders that differ|, length:|^records, HEADERS/.test(gap),
  )
  t.deepEqual(unknown, [], 'the dialer says so itself')
  const { build, version } = shipped
  const again = capture({ family: 'chromium', build, captured: shipped.captured, seen: theirs.h2 })
  // A connection that the browser opened in advance may carry no request at all: whichever has one says the version.
  const said = theirs.h2.flatMap(({ requests }) => requests.flatMap(({ headers }) => headers.map(([, value]) => value)))
  if (said.some((value) => value.includes(`v="${version}"`))) {
    t.deepEqual(
      { ...again, tls: { ...again.tls, echLengths: shipped.tls.echLengths } },
      shipped,
      'what ships is what it shows',
    )
  }
})
