/**
 * What the clients that traffic may claim to be really send, by family. Orders are those of HTTP/1.1 as captured from
 * Chromium 156, Firefox ESR 153 and Node 26's fetch; only the fields named here are compared.
 */
import type { Family, HeaderData } from '#engine/template.ts'

export interface FamilyFacts {
  /** What its User-Agent looks like. */
  readonly agent: RegExp
  readonly agentText: string
  /** Orders of fields that occur: by fetch, by fetch with an `accept` of the script's own, by navigation. */
  readonly orders: readonly (readonly string[])[]
  /** Fields that each of its fetches has. */
  readonly always: readonly string[]
  /** Fields that it never sends. */
  readonly never: RegExp
}

const chromiumEnd = ['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'referer']
const encodings = ['accept-encoding', 'accept-language']

export const families: Readonly<Record<Family, FamilyFacts>> = {
  chromium: {
    agent: /^Mozilla\/5\.0 \(.+\) AppleWebKit\/537\.36 \(KHTML, like Gecko\) Chrome\/\d+[\d.]* Safari\/537\.36/,
    agentText: 'Mozilla/5.0 (...) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/N.0.0.0 Safari/537.36',
    orders: [
      [
        ...['sec-ch-ua-platform', 'user-agent', 'sec-ch-ua', 'content-type', 'sec-ch-ua-mobile', 'accept', 'origin'],
        ...[...chromiumEnd, ...encodings],
      ],
      [
        ...['sec-ch-ua-platform', 'user-agent', 'accept', 'sec-ch-ua', 'content-type', 'sec-ch-ua-mobile', 'origin'],
        ...[...chromiumEnd, ...encodings],
      ],
      [
        ...['sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform', 'upgrade-insecure-requests', 'user-agent', 'accept'],
        ...['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-user', 'sec-fetch-dest', 'referer', ...encodings],
      ],
    ],
    always: ['user-agent', 'accept', 'sec-ch-ua', 'sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', ...encodings],
    never: /^(te|dnt)$/,
  },
  firefox: {
    agent: /^Mozilla\/5\.0 \(.+; rv:[\d.]+\) Gecko\/20100101 Firefox\/[\d.]+$/,
    agentText: 'Mozilla/5.0 (...; rv:N.0) Gecko/20100101 Firefox/N.0',
    orders: [
      [
        ...['user-agent', 'accept', 'accept-language', 'accept-encoding', 'referer', 'content-type', 'origin'],
        ...['upgrade-insecure-requests', 'sec-fetch-dest', 'sec-fetch-mode', 'sec-fetch-site', 'sec-fetch-user'],
      ],
    ],
    always: ['user-agent', 'accept', 'accept-language', 'accept-encoding', 'sec-fetch-dest', 'sec-fetch-mode'],
    never: /^sec-ch-/,
  },
  node: {
    agent: /^(?!Mozilla\/)./,
    agentText: 'node, undici, or the name of a program, and no browser’s',
    orders: [['accept-language', 'sec-fetch-mode', 'user-agent']],
    always: ['user-agent', 'accept', 'accept-encoding'],
    never: /^(sec-ch-.*|sec-fetch-(site|dest|user)|upgrade-insecure-requests)$/,
  },
}

export function headerValue(headers: readonly HeaderData[], name: string): string | undefined {
  return headers.find(([each]) => each.toLowerCase() === name)?.[1]
}

/** undefined where the User-Agent belongs to none that templates know. */
export function familyOfAgent(agent: string | undefined): Family | undefined {
  if (agent === undefined) return undefined
  if (families.chromium.agent.test(agent)) return 'chromium'
  if (families.firefox.agent.test(agent)) return 'firefox'
  return families.node.agent.test(agent) ? 'node' : undefined
}

/** The first two fields that stand the wrong way round in every order the family has; undefined where some order fits. */
export function misplaced(family: Family, names: readonly string[]): readonly [string, string] | undefined {
  const faults = families[family].orders.map((order) => {
    const known = names.filter((name) => order.includes(name))
    const at = known.findIndex((name, i) => i > 0 && order.indexOf(name) < order.indexOf(known[i - 1]!))
    return at < 0 ? undefined : ([known[at - 1]!, known[at]!] as const)
  })
  return faults.includes(undefined) ? undefined : faults[0]
}
