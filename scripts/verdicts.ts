/** What a run of ava says, file by file. */

export interface Outcome {
  readonly passed: number
  readonly failed: number
}

/** `text`: ava's output; `files`: all test files, relative to the root. What no file can be found for stands under ''. */
export function verdictsOf(text: string, files: readonly string[]): Map<string, Outcome> {
  const prefixes = files.map((file) => [`${file.replace(/\.test\.ts$/, '').replaceAll('/', ' › ')} › `, file] as const)
  const verdicts = new Map<string, Outcome>()
  for (const [, mark, line] of text.matchAll(/^\s*([✔✘]) (?:\[[a-z ]+\]: )?(.*)$/gm)) {
    // A test is named with its file in front; a file that ended too early is named by its path.
    const file =
      prefixes.find(([prefix]) => line!.startsWith(prefix))?.[1] ??
      files.find((path) => line!.split(' ').includes(path))
    const { passed, failed } = verdicts.get(file ?? '') ?? { passed: 0, failed: 0 }
    verdicts.set(file ?? '', mark === '✔' ? { passed: passed + 1, failed } : { passed, failed: failed + 1 })
  }
  return verdicts
}

export function sumOf(outcomes: Iterable<Outcome>): Outcome {
  let [passed, failed] = [0, 0]
  for (const outcome of outcomes) {
    passed += outcome.passed
    failed += outcome.failed
  }
  return { passed, failed }
}
