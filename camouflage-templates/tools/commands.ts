/**
 * `sotto templates learn | lint | preview | try`: with which operators make and judge templates. Results go to `out`;
 * `--json` gives one JSON value and nothing else. Errors are thrown as SottoError and printed by the program.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { SottoError } from '#protocol/errors.ts'
import { findTemplate, findTemplates, readSample } from './find.ts'
import type { Learned } from './learn/learn.ts'
import { learnTemplate } from './learn/learn.ts'
import { LearnLimits } from './learn/limits.ts'
import { fails, lintTemplate } from './lint/lint.ts'
import { openSite } from './lint/site.ts'
import { besides, previewTemplate } from './preview/preview.ts'
import { findingLines, learnLines, lintSummary, trialLines } from './report.ts'

/** What the commands need from outside. */
export interface ToolSurroundings {
  readonly out: (text: string) => void
  /** For people: progress, and reports beside a result. */
  readonly err: (text: string) => void
  /** Of the program, where a result is bad news. */
  readonly exit: (status: number) => void
  /** Characters of a line. */
  readonly columns: number
}

const here: ToolSurroundings = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  exit: (status) => {
    process.exitCode = status
  },
  columns: process.stdout.columns ?? 160,
}

interface Json {
  readonly json: boolean
}

const jsonOption = ['--json', 'print one JSON value', false] as const

/** Adds the four commands to the group `templates`. Wrong usage is E_USAGE. */
export function addTemplateTools(group: Command, around: ToolSurroundings = here): void {
  group.configureOutput({ outputError: () => {} }).exitOverride((error) => {
    // Help has been printed: asked for, or in place of a command that is missing.
    if (error.exitCode === 0) process.exit(0)
    if (error.code === 'commander.help') process.exit(2)
    throw new SottoError('E_USAGE', error.message.replace(/^error: /, ''))
  })
  addLearn(group, around)
  addLint(group, around)
  addPreview(group, around)
  addTry(group, around)
}

// ---- learn -------------------------------------------------------------------------------------------------------------

function addLearn(group: Command, { out, err }: ToolSurroundings): void {
  group
    .command('learn')
    .argument('<har>', 'a recording of your site, as the developer tools of a browser export it, with content')
    .description('Make a template out of a recording of your own site.')
    .option('--out <folder>', 'where template and samples go (default: the template to standard output)')
    .option(...jsonOption)
    .action(async (har: string, { out: folder, json }: Json & { readonly out?: string }) => {
      const id = idOf(folder)
      if (folder !== undefined && existsSync(join(folder, 'template.yaml'))) {
        throw new SottoError('E_USAGE', `there is a template in ${folder} already`, {
          next: 'Name another folder: --out DIR',
        })
      }
      const learned = await learnTemplate(readRecording(har), har, id)
      if (folder !== undefined) write(folder, learned)
      if (json) return out(`${JSON.stringify({ template: learned.text, ...learned.report })}\n`)
      if (folder === undefined) {
        err(`${learnLines(learned.report)}\n`)
        return out(learned.text)
      }
      out(`${learnLines(learned.report)}\n${folder}: made template.yaml and samples\n`)
      out(`Next: sotto templates preview ${folder}, then sotto templates try ${folder}\n`)
    })
}

/** The folder's name, as far as ids have such letters. */
function idOf(folder: string | undefined): string {
  const plain = basename(folder ?? 'learned')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 32)
  return plain.length < 2 ? 'learned' : plain
}

function readRecording(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (!stat?.isFile()) throw new SottoError('E_USAGE', `there is no file ${file}`)
  if (stat.size > LearnLimits.fileBytes) {
    throw new SottoError('E_HAR', `${file} has ${stat.size} octets; ${LearnLimits.fileBytes} is the most`)
  }
  return readFileSync(file, 'utf8')
}

function write(folder: string, { text, samples }: Learned): void {
  try {
    mkdirSync(join(folder, 'samples'), { recursive: true })
    writeFileSync(join(folder, 'template.yaml'), text)
    for (const [name, sample] of samples) writeFileSync(join(folder, 'samples', name), sample)
  } catch (cause) {
    throw new SottoError('E_FILE', `the template cannot be put into ${folder}: ${(cause as Error).message}`, { cause })
  }
}

// ---- lint --------------------------------------------------------------------------------------------------------------

function addLint(group: Command, { out, exit }: ToolSurroundings): void {
  group
    .command('lint')
    .argument('<template>', 'id of a built-in template, a file, or a folder')
    .description('Say what would give a template away. Exit status 1 where something would.')
    .option('--site <where>', 'folder or URL of the site: are its paths there, and do they take their time?')
    .option(...jsonOption)
    .action(async (what: string, { site, json }: Json & { readonly site?: string }) => {
      const templates = findTemplates(what)
      const opened = site === undefined ? undefined : await openSite(site)
      const results = []
      for (const { text, file } of templates) results.push({ file, findings: await lintTemplate(text, file, opened) })
      const findings = results.flatMap((result) => result.findings)
      if (fails(findings)) exit(1)
      if (json) out(`${JSON.stringify({ ok: !fails(findings), templates: results })}\n`)
      else out(findingLines(findings) + lintSummary(findings, templates.length))
    })
}

// ---- preview -----------------------------------------------------------------------------------------------------------

function addPreview(group: Command, { out, columns }: ToolSurroundings): void {
  group
    .command('preview')
    .argument('<template>', 'id of a built-in template, a file, or a folder')
    .description('Print its messages as the wire will have them, beside samples.')
    .option('--seed <number>', 'another number, other values', wholeNumber('--seed', 0, 2 ** 31), 1)
    .option(...jsonOption)
    .action((what: string, { seed, json }: Json & { readonly seed: number }) => {
      const { compiled, file } = findTemplate(what)
      const previews = previewTemplate({ template: compiled, seed, sample: (name) => readSample(file, name) })
      if (json) out(`${JSON.stringify({ template: compiled.id, seed, messages: previews })}\n`)
      else out(previews.map((preview) => besides(preview, columns)).join('\n'))
    })
}

// ---- try ---------------------------------------------------------------------------------------------------------------

function addTry(group: Command, { out, err }: ToolSurroundings): void {
  group
    .command('try')
    .argument('<template>', 'id of a built-in template, a file, or a folder')
    .description('Let two members talk through it alone, on this machine, and say what it costs.')
    .option('--messages <number>', 'messages to send', wholeNumber('--messages', 1, 10_000), 40)
    .option(...jsonOption)
    .action(async (what: string, { messages, json }: Json & { readonly messages: number }) => {
      const { compiled } = findTemplate(what)
      // Gateway, firewall and client are loaded only where they are needed.
      const { runTrial } = await import('./trial/trial.ts')
      const report = await runTrial({ template: compiled, messages, tell: (line) => err(`${line}\n`) })
      out(json ? `${JSON.stringify(report)}\n` : trialLines(report))
    })
}

function wholeNumber(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw new SottoError(
      'E_USAGE',
      `${option} takes a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`,
    )
  }
}
