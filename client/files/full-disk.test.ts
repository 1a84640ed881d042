/** A member's disk that is really full, while a file is sealed, fetched and saved: said, nothing lost, and it goes on when there is room. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { temporaryFolder } from '#client/store/fixtures/temporary.ts'

const PROGRAM = fileURLToPath(new URL('fixtures/full-disk.ts', import.meta.url))
/** A file system in memory, of the process alone: of who may do everything, or of a user namespace. */
const NAMESPACE = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']

test('what does not fit is told by its code; of what was begun nothing is lost or left behind', (t) => {
  t.timeout(300_000)
  const folder = temporaryFolder(t)
  const script = 'mount -t tmpfs -o size=1m,mode=700 sotto "$1" && exec "$0" --no-warnings "$2" "$1"'
  const argv = [...NAMESPACE, 'sh', '-c', script, process.execPath, folder, PROGRAM]
  const { stdout, stderr, status } = spawnSync('unshare', argv, {
    ...{ encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  })
  t.is(status, 0, stderr)
  const kept = { code: 'E_DISK_FULL', kept: 'Everything stored before is kept.' }
  t.deepEqual(JSON.parse(stdout), [
    { step: 'sealing', error: kept, list: [], left: [] },
    { step: 'sent', state: 'done', texts: ['the chat goes on', 'plan.pdf'] },
    { step: 'fetching', state: 'moving', code: 'E_DISK_FULL', isPart: true },
    { step: 'fetched', state: 'done', isWhole: true },
    { step: 'saving', error: { code: 'E_DISK_FULL', kept: 'The file is kept, sealed.' }, left: [] },
    { step: 'saved', isWhole: true, left: ['plan.pdf'] },
  ])
})
