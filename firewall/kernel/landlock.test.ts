/** Landlock, for real: a bound program reads what it was given leave for, and none of the user's own files; and writes as little. */
import { execFile } from 'node:child_process'
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { temporaryFolder } from '../fixtures/temporary.ts'
import { boundCommand, layersHere } from './confined.ts'
import { native } from './native.ts'

const where = (native()?.landlockVersion() ?? 0) > 0 && layers() !== undefined ? test : test.skip

function layers() {
  try {
    return layersHere({ starting: (start) => start() })
  } catch {
    return undefined
  }
}

where('files are read and written where the plan says, and nowhere else', async (t) => {
  const folder = await realpath(await temporaryFolder(t))
  for (const name of ['state', 'other', 'program']) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'file'), name)
  }
  await writeFile(join(folder, 'named'), 'by the person')
  await writeFile(join(folder, 'diary'), 'the user’s own')
  const sources = join(import.meta.dirname, '..')
  const system = ['/usr', '/lib', '/lib64', '/etc', '/proc', '/sys', dirname(await realpath(process.execPath))]
  const plan = {
    ...{ filter: true, landlock: true, noSockets: !layers()!.namespace, fds: [], env: {} },
    writable: [join(folder, 'state'), '/dev/null'],
    readable: [...system, sources, join(sources, '..', 'package.json'), join(folder, 'program'), join(folder, 'named')],
  }
  const paths = [
    ...['state/file', 'program/file', 'named', 'other/file', 'diary'].map((name) => join(folder, name)),
    ...[
      join(folder, 'state', 'new'),
      '/dev/null',
      join(folder, 'named'),
      join(folder, 'new'),
      '/dev/shm/sotto-test',
    ].map((path) => `+${path}`),
  ]
  const reader = [process.execPath, '--no-warnings', join(sources, 'fixtures', 'reads.ts'), ...paths]
  const [command, ...args] = boundCommand(layers()!, plan, reader)
  const { stdout } = await promisify(execFile)(command!, args)
  t.deepEqual(JSON.parse(stdout), [
    ...['done', 'done', 'done', 'EACCES', 'EACCES'],
    ...['done', 'done', 'EACCES', 'EACCES', 'EACCES'],
  ])
})
