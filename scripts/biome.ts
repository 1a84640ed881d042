/**
 * Runs the linter and formatter from its platform package. The package that would choose it names packages for every
 * platform there is, and not every registry has all of them: `npm ci` would fail.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export const biome: string = join(
  import.meta.dirname,
  '..',
  'node_modules',
  '@biomejs',
  `cli-linux-${process.arch}`,
  'biome',
)

if (import.meta.main) process.exitCode = spawnSync(biome, process.argv.slice(2), { stdio: 'inherit' }).status ?? 1
