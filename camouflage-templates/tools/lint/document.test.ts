/** docs/templates-authoring.md says of rules and bounds what the code does; SOTTO_DOCS=write writes the rules again. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { LearnLimits } from '../learn/limits.ts'
import { lintDocument } from './document.ts'

const file = join(import.meta.dirname, '..', '..', '..', 'docs', 'templates-authoring.md')
const marker = /<!-- rules: [^>]+ -->\n/

test('the chapter about lint is that of the rules', (t) => {
  const text = readFileSync(file, 'utf8')
  const found = marker.exec(text)
  if (found === null) return t.fail('the marker is gone')
  const end = found.index + found[0].length
  const wanted = `\n${lintDocument()}`
  if (process.env.SOTTO_DOCS === 'write') writeFileSync(file, text.slice(0, end) + wanted)
  t.is(readFileSync(file, 'utf8').slice(end), wanted)
})

test('the bounds of a recording are those of the code', (t) => {
  const rows = [...readFileSync(file, 'utf8').matchAll(/^\| (?!bound|-).+ \| ([\d,]+) +\|$/gm)]
  const written = rows.map((row) => Number(row[1]!.replaceAll(',', '')))
  t.deepEqual(written, Object.values(LearnLimits))
})
