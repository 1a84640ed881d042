/** User-Agent, client hints, fetch metadata and order of headers tell one story: that of the family. */
import type { Path } from '#engine/source.ts'
import type { HeaderData } from '#engine/template.ts'
import { families, headerValue, misplaced } from '../../families.ts'
import type { Rule } from '../rule.ts'
import type { Subject } from '../subject.ts'

interface Headers {
  readonly path: Path
  readonly headers: readonly HeaderData[]
  readonly page: boolean
  readonly method: 'GET' | 'POST'
}

/** Of the page and of every request. */
function requestHeaders({ data }: Subject): Headers[] {
  const shapes = Object.entries(data.shapes).map(([name, { request }]) => {
    return {
      path: ['shapes', name, 'request', 'headers'],
      headers: request.headers,
      page: false,
      method: request.method,
    }
  })
  return [{ path: ['page', 'headers'], headers: data.page.headers, page: true, method: 'GET' }, ...shapes]
}

const platforms: readonly (readonly [RegExp, string])[] = [
  [/Windows/, 'Windows'],
  [/Android/, 'Android'],
  [/CrOS/, 'Chrome OS'],
  [/Linux/, 'Linux'],
  [/Mac OS X/, 'macOS'],
]

export const familyRules: readonly Rule[] = [
  {
    id: 'user-agent',
    severity: 'error',
    what: 'The User-Agent is not one of the family.',
    why: 'TLS and HTTP say which client this is; a User-Agent that says otherwise is the first thing an edge compares.',
    mend: 'Name the family’s own, without «Headless».',
    example: { model: 'browser', good: 'Chrome/156.0.0.0 Safari', bad: 'HeadlessChrome/156.0.0.0 Safari' },
    *check(subject) {
      const { family } = subject.data
      for (const { headers, path } of requestHeaders(subject)) {
        const agent = headerValue(headers, 'user-agent')
        if (agent === undefined || !families[family].agent.test(agent)) {
          yield { path, found: `«${agent ?? ''}» is not ${family}: ${families[family].agentText}` }
        }
      }
    },
  },
  {
    id: 'client-hints',
    severity: 'error',
    what: 'Client hints contradict the User-Agent.',
    why: 'Version and platform stand in both; they differ in no browser.',
    mend: 'Take both from one recording of one browser.',
    example: { model: 'browser', good: '"Chromium";v="156"', bad: '"Chromium";v="151"' },
    *check(subject) {
      if (subject.data.family !== 'chromium') return
      for (const { headers, path } of requestHeaders(subject)) {
        const agent = headerValue(headers, 'user-agent') ?? ''
        const major = /Chrome\/(\d+)/.exec(agent)?.[1]
        const hinted = /"Chromium";v="(\d+)"/.exec(headerValue(headers, 'sec-ch-ua') ?? '')?.[1]
        if (hinted !== undefined && hinted !== major) {
          yield { path, found: `sec-ch-ua names version ${hinted}, the User-Agent ${major}` }
        }
        const platform = headerValue(headers, 'sec-ch-ua-platform')
        const real = platforms.find(([pattern]) => pattern.test(agent))?.[1]
        if (platform !== undefined && platform !== `"${real}"`) yield { path, found: `${platform} is not ${real}` }
      }
    },
  },
  {
    id: 'headers-of-the-family',
    severity: 'error',
    what: 'A header is missing that each request of this client has, or one is there that it never sends.',
    why: 'Sets of headers are hashed by edges (JA4H and its like); a set that no client sends is a population of one.',
    mend: 'Take the set from a recording: `sotto templates learn` does.',
    example: { model: 'browser', good: '- [sec-fetch-dest, empty]', bad: '- [dnt, "1"]' },
    *check(subject) {
      const facts = families[subject.data.family]
      for (const { headers, path, page, method } of requestHeaders(subject)) {
        const names = headers.map(([name]) => name.toLowerCase())
        const always = method === 'POST' && subject.data.family !== 'node' ? [...facts.always, 'origin'] : facts.always
        const missing = always.filter((name) => !names.includes(name))
        if (missing.length > 0) yield { path, found: `without ${missing.join(', ')}` }
        const foreign = names.filter(
          (name) => facts.never.test(name) && !(page && name === 'upgrade-insecure-requests'),
        )
        if (foreign.length > 0) yield { path, found: `with ${foreign.join(', ')}` }
      }
    },
  },
  {
    id: 'referer-of-no-page',
    severity: 'warning',
    what: 'The referer names another page than the one that was loaded.',
    why: 'On this connection only the page of `page` was asked for; whoever compares the two sees a visitor come from nowhere.',
    mend: 'Name the page in both, or leave the referer out as programs do.',
    example: { model: 'browser', good: '[referer, "https://{{host}}/"]', bad: '[referer, "https://{{host}}/account"]' },
    *check(subject) {
      for (const { headers, path, page } of requestHeaders(subject)) {
        const referer = headerValue(headers, 'referer')
        const wanted = `https://{{host}}${subject.data.page.path}`
        if (!page && referer !== undefined && referer !== wanted)
          yield { path, found: `${referer}, the page is ${wanted}` }
      }
    },
  },
  {
    id: 'order-of-headers',
    severity: 'error',
    what: 'Headers stand in an order in which this client never writes them.',
    why: 'The order is the same in all copies of a client, and compared by edges.',
    mend: 'Take the order from a recording.',
    example: {
      model: 'browser',
      good: '- [sec-fetch-site, same-origin]\n        - [sec-fetch-mode, cors]',
      bad: '- [sec-fetch-mode, cors]\n        - [sec-fetch-site, same-origin]',
    },
    *check(subject) {
      for (const { headers, path } of requestHeaders(subject)) {
        const names = headers.map(([name]) => name.toLowerCase())
        const wrong = misplaced(subject.data.family, names)
        if (wrong !== undefined) yield { path, found: `${wrong[1]} stands behind ${wrong[0]}` }
      }
    },
  },
  {
    id: 'one-client',
    severity: 'error',
    what: 'Two requests of one template describe two clients.',
    why: 'They come over one connection.',
    mend: 'Write the same User-Agent, languages and hints everywhere.',
    example: { good: '- [user-agent, node]\n\nrhythm', bad: '- [user-agent, undici]\n\nrhythm' },
    *check(subject) {
      const names = ['user-agent', 'accept-language', 'sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform']
      const seen = new Map<string, string>()
      for (const { headers, path } of requestHeaders(subject)) {
        for (const name of names) {
          const value = headerValue(headers, name)
          const before = seen.get(name)
          if (value !== undefined && before !== undefined && before !== value) {
            yield { path, found: `${name}: «${value}» here, «${before}» elsewhere` }
          }
          if (value !== undefined && before === undefined) seen.set(name, value)
        }
      }
    },
  },
]
