/** Documents and code say the same: codes, numbers, frames, and every file or command that a document names. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Limits } from '#protocol/constants.ts'
import { errorCodes } from '#protocol/errors.ts'
import { PackLimits } from '#protocol/pack.ts'
import { CloseCode, FrameType } from '#protocol/session/frames.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const documents: readonly string[] = [
  ...['README.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...['protocol/README.md', 'camouflage-templates/README.md', 'firewall/README.md'],
  ...markdownIn('docs'),
]

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? markdownIn(path) : path.endsWith('.md') ? [path] : []
  })
}

/** Text from a heading to the next one of the same depth. */
function section(text: string, heading: string): string {
  const start = text.indexOf(`\n${heading}`)
  if (start < 0) throw new Error(`no heading ${heading}`)
  const depth = heading.slice(0, heading.indexOf(' ') + 1)
  const end = text.indexOf(`\n${depth}`, start + heading.length)
  return text.slice(start, end < 0 ? undefined : end)
}

/** Cells of all rows of all tables, heads and rules left out. */
function rows(text: string): string[][] {
  const lines = text.split('\n')
  const isRow = (line: string | undefined): boolean => line?.startsWith('|') ?? false
  const isRule = (line: string | undefined): boolean => /^\|[\s|:-]+\|$/.test(line ?? '')
  return lines
    .filter((line, at) => isRow(line) && !isRule(line) && !isRule(lines[at + 1]))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

const plain = (cell: string): string => cell.replaceAll('`', '')
const sorted = (names: Iterable<string>): string[] => [...names].toSorted()

test('docs/errors.md has exactly the codes that exist, each once', (t) => {
  const named = rows(read('docs/errors.md')).map(([code]) => plain(code!))
  t.deepEqual(sorted(named), sorted(Object.keys(errorCodes)))
})

test('every cell about an error is filled', (t) => {
  const empty = rows(read('docs/errors.md')).filter((cells) => cells.length !== 5 || cells.some((cell) => cell === ''))
  t.deepEqual(empty, [])
})

test('no document names a code that does not exist', (t) => {
  for (const document of documents) {
    for (const [code] of read(document).matchAll(/\bE_[A-Z][A-Z_]*[A-Z]\b/g)) {
      t.true(Object.hasOwn(errorCodes, code), `${document}: ${code}`)
    }
  }
})

test('protocol/README.md section 11 has the limits of the code', (t) => {
  const table = rows(section(read('protocol/README.md'), '## 11. '))
  const written = table.map(([field, value]): [string, number] => [plain(field!), Number(value!.replaceAll(',', ''))])
  t.deepEqual(new Map(written.toSorted()), new Map(Object.entries(Limits).toSorted()))
  t.is(written.length, Object.keys(Limits).length)
})

test('protocol/README.md section 14 has the limits of the code', (t) => {
  const table = rows(section(read('protocol/README.md'), '## 14. ')).filter(([name]) => plain(name!) in PackLimits)
  const number = (text: string): number => Number(text.replaceAll(',', ''))
  const written = table.map(([name, value]): [string, unknown] => {
    const numbers = value!.split(' to ').map(number)
    return [plain(name!), numbers.length === 1 ? numbers[0] : numbers]
  })
  t.deepEqual(Object.fromEntries(written), { ...PackLimits })
})

test('protocol/README.md section 16 has the limits of the code', (t) => {
  const table = rows(section(read('protocol/README.md'), '### 16.11 '))
  const written = table.map(([field, value]): [string, number] => [plain(field!), Number(value!.replaceAll(',', ''))])
  t.deepEqual(Object.fromEntries(written), { ...TrackerLimits })
})

const camelCase = (words: string): string =>
  words.replaceAll(',', '').replace(/ ([a-z])/g, (_, letter: string) => letter.toUpperCase())

test('protocol/README.md section 6 has the frames and codes of the code', (t) => {
  const text = section(read('protocol/README.md'), '## 6. ')
  const frames = rows(text).map(([type, name]): [string, number] => [camelCase(name!), Number(type)])
  t.deepEqual(new Map(frames.toSorted()), new Map(Object.entries(FrameType).toSorted()))
  const codes = /^Codes: ([^.]+)\./m.exec(text)?.[1] ?? ''
  const named = codes.split(', ').map((code): [string, number] => [code.split(' ')[1]!, Number(code.split(' ')[0])])
  t.deepEqual(new Map(named.toSorted()), new Map(Object.entries(CloseCode).toSorted()))
})

/** How GitHub and others make an anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-')

const anchorsOf = (path: string): string[] =>
  [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!))

test('every relative link leads somewhere', (t) => {
  let count = 0
  for (const document of documents) {
    for (const [, target] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue
      count++
      const [file, anchor] = target!.split('#') as [string, string?]
      const path = file === '' ? document : relative(root, resolve(root, dirname(document), file))
      t.true(existsSync(join(root, path)), `${document}: ${target}`)
      if (anchor !== undefined) t.true(anchorsOf(path).includes(anchor), `${document}: ${target}`)
    }
  }
  t.true(count > 30, `${count} links`)
})

/** Files and folders of ours, as documents name them: in backticks, from the root or from the document's own folder. */
const ours = /^(?:\.\/)?(?:protocol|camouflage-templates|gateway|client|firewall|lab|scripts|test|docs)\/[\w./-]*$/

test('every file of ours that a document names exists', (t) => {
  let count = 0
  for (const document of documents) {
    for (const [, name] of read(document).matchAll(/`([^`\n]+)`/g)) {
      if (!ours.test(name!)) continue
      count++
      t.true(existsSync(join(root, name!)), `${document}: ${name}`)
    }
  }
  t.true(count > 60, `${count} names`)
})

test('every script that a document runs exists', (t) => {
  let count = 0
  for (const document of documents) {
    for (const [script] of read(document).matchAll(/\.\/scripts\/[\w.-]*\w/g)) {
      count++
      t.true(existsSync(join(root, script)), `${document}: ${script}`)
    }
  }
  t.true(count > 20, `${count} scripts`)
})
