/** Recordings made now, with the system's Chromium, of three small sites; and what is learned of them. */
import test from 'ava'
import { startChatSite } from '../../fixtures/sites/chat.ts'
import { startGallerySite } from '../../fixtures/sites/gallery.ts'
import { startGraphqlSite } from '../../fixtures/sites/graphql.ts'
import { chromiumPath, recordHar } from '../../fixtures/sites/record.ts'
import { checkCarries, secretsIn } from './har-support.ts'
import type { Learned } from './learn.ts'
import { learnTemplate } from './learn.ts'

const sites = {
  chat: () => startChatSite([1_050, 1_300]),
  gallery: startGallerySite,
  graphql: startGraphqlSite,
} as const

const checks: Readonly<Record<keyof typeof sites, (learned: Learned) => unknown>> = {
  chat: ({ data }) => [data.kinds.poll, data.kinds.send, data.rhythm.polls],
  gallery: ({ data }) => [data.kinds.poll, data.shapes.uploads?.request.body?.png?.idat],
  graphql: ({ data }) => [
    // Which was recorded more often, and so stands first, is a matter of timing.
    ...Object.values(data.shapes)
      .map(({ request }) => /"operationName":"(\w+)"/.exec(request.body?.text ?? '')?.[1])
      .sort(),
    data.shapes.graphql?.request.path,
  ],
}
const expected = {
  chat: ['sync', 'messages', 3],
  gallery: ['uploads', 8_192],
  graphql: ['Send', 'Timeline', '/graphql'],
}

// One browser after the other: they measure holds.
for (const name of ['chat', 'gallery', 'graphql'] as const) {
  test.serial(`${name}: recorded now, learned, and it carries`, async (t) => {
    if (chromiumPath === undefined) {
      t.log('no Chromium on this machine: nothing was recorded; the recordings in fixtures/har are tested all the same')
      t.pass()
      return
    }
    const site = await sites[name]()
    t.teardown(() => site.close())
    const har = await recordHar(site.origin)
    const learned = await learnTemplate(har, `${name}.har`, name)
    checkCarries(t, learned)
    t.deepEqual(checks[name](learned), expected[name])
    t.deepEqual(
      learned.report.lint.filter(({ severity }) => severity === 'error'),
      [],
    )
    const all = [learned.text, ...learned.samples.values()].join('\n')
    const secrets = [...secretsIn(har), 'anna', 'Anna', 'localhost']
    t.deepEqual(
      secrets.filter((secret) => all.includes(secret)),
      [],
    )
  })
}
