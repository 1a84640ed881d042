/** The layers of the system, kept: who may import whom, with the reason for every edge that must not exist. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Rule {
  /** Files (from the root) the rule is for. */
  readonly from: RegExp
  /** What they may import; everything else is refused. */
  readonly only?: RegExp
  /** What they must not import. */
  readonly never?: RegExp
  readonly reason: string
}

/** Node's modules that reach the network. */
const network = /^(node:(net|tls|dns|dgram|http|https|http2|dns\/promises)|undici|ws)$/

const rules: readonly Rule[] = [
  {
    from: /^protocol\/(?!crypto\/)/,
    only: /^(protocol\/|@noble\/|msgpackr$)/,
    reason: 'the protocol is pure: no sockets, files, timers or clocks; primitives come from protocol/crypto',
  },
  {
    from: /^protocol\/crypto\//,
    only: /^(protocol\/|@noble\/|node:crypto$)/,
    reason: 'the crypto suite is native primitives or noble, and nothing else',
  },
  {
    from: /^camouflage-templates\/engine\//,
    only: /^(camouflage-templates\/engine\/|protocol\/(bytes|errors|sextets)\.ts$|yaml$|valibot$|node:zlib$)/,
    reason: 'the engine runs at both ends on untrusted data: it computes, and reaches nothing',
  },
  { from: /^gateway\//, never: /^client\//, reason: 'the two ends share the protocol, not code of one end' },
  { from: /^gateway\//, never: /^firewall\//, reason: 'the firewall is the client’s' },
  { from: /^(client|firewall)\//, never: /^gateway\//, reason: 'the two ends share the protocol, not code of one end' },
  {
    from: /^client\/chat\//,
    never: /^(client\/(?!chat\/|store\/)|firewall\/|gateway\/|camouflage-templates\/)/,
    reason: 'the chat engine knows neither carrier nor socket nor view',
  },
  {
    from: /^(client|protocol|camouflage-templates(?!\/tools))\//,
    never: network,
    reason: 'only firewall/ opens sockets on the client’s side: what it does not do, nobody does',
  },
  {
    from: /^(client|protocol|camouflage-templates)\//,
    never: /^node:child_process$/,
    reason: 'the core starts no programs',
  },
  {
    from: /^camouflage-templates\/(?!tools\/trial\/)/,
    never: /^(gateway|client|firewall)\//,
    reason: 'templates are below both ends; a trial alone brings the two together',
  },
  {
    from: /^(?!camouflage-templates\/tools\/|gateway\/main\.ts$|scripts\/|test\/)/,
    never: /^camouflage-templates\/tools\//,
    reason: 'the tools are for operators at a terminal: nothing that serves or carries depends on them',
  },
  {
    from: /^camouflage-templates\/tools\/(lint|learn|preview)\//,
    never: /^(node:(net|tls|dns|dgram|http|https|http2)|undici)$/,
    reason: 'making and judging a template needs no socket; a site is asked by fetch, and only where one is named',
  },
  { from: /^(?!lab\/|scripts\/|test\/)/, never: /^lab\//, reason: 'the adversary is a tool, not a part' },
  {
    from: /^(protocol|camouflage-templates|gateway|client|firewall)\//,
    never: /^(test|scripts)\//,
    reason: 'what ships does not depend on what checks it',
  },
]

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'fixtures' || entry.name === 'node_modules' ? [] : sources(path)
    return path.endsWith('.ts') && !path.endsWith('.test.ts') ? [path] : []
  })
}

const folders = ['protocol', 'camouflage-templates', 'gateway', 'client', 'firewall', 'scripts', 'lab']
const aliases: Record<string, string> = {
  protocol: 'protocol',
  engine: 'camouflage-templates/engine',
  gateway: 'gateway',
  client: 'client',
  firewall: 'firewall',
  test: 'test',
}

/** A file's imports: paths from the root for our own, names for packages and Node's modules. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  const found = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g,
    ),
  ]
  return found.map((match) => normalise(path, (match[1] ?? match[2] ?? match[3])!))
}

function normalise(path: string, name: string): string {
  if (name.startsWith('.')) return relative(root, resolve(root, dirname(path), name))
  const alias = /^#([^/]+)\/(.*)$/.exec(name)
  return alias === null ? name : `${aliases[alias[1]!]}/${alias[2]}`
}

const edges = folders.flatMap((folder) =>
  sources(folder).flatMap((from) => importsOf(from).map((to) => ({ from, to }))),
)

test('there is something to check', (t) => {
  t.true(edges.length > 100)
})

for (const rule of rules) {
  test(`${rule.from.source} ${rule.only ? 'only' : 'never'} ${(rule.only ?? rule.never)!.source}`, (t) => {
    const broken = edges
      .filter(({ from }) => rule.from.test(from))
      .filter(({ to }) => (rule.only ? !rule.only.test(to) : rule.never!.test(to)))
      .map(({ from, to }) => `${from} imports ${to}: ${rule.reason}`)
    t.deepEqual(broken, [])
  })
}

test('no import cycles at run time', (t) => {
  const graph = new Map<string, string[]>()
  for (const path of folders.flatMap(sources)) graph.set(path, runtimeImports(path))
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' > '))
      return
    }
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  t.deepEqual(cycles, [])
})

function runtimeImports(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  return [...text.matchAll(/(?:^|\n)(?:import|export)\s+(?!type\b)[^'"]*?from\s*['"]([^'"]+)['"]/g)].map((match) =>
    normalise(path, match[1]!),
  )
}

test('the pure layers take time and chance as arguments', (t) => {
  const impure = /Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval/
  const broken = ['protocol', 'camouflage-templates/engine', 'client/chat']
    .flatMap(sources)
    .filter((path) => impure.test(readFileSync(join(root, path), 'utf8')))
  t.deepEqual(broken, [])
})
