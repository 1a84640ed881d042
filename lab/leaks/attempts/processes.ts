/** Other programs, and other threads. */
import childProcess from 'node:child_process'
import threads from 'node:worker_threads'
import type { Family } from '../attempt.ts'
import { until, worked } from '../attempt.ts'

const quiet = { stdio: 'ignore', timeout: 2_000 } as const

/** An end after two seconds is none of a refusal: then it was on the way. */
function ran(command: string, args: readonly string[], options: object = {}): void {
  const end = childProcess.spawnSync(command, [...args], { ...quiet, ...options })
  if (end.signal !== null || (end.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') return
  worked(end)
}

const inNode = (code: string, to: string): readonly string[] => [
  '-e',
  `${code}.then(() => process.exit(0), () => process.exit(1))`.replaceAll('TO', to),
]

async function threadEnded(worker: threads.Worker): Promise<void> {
  const [code] = (await until(worker, 'exit')) as [number]
  if (code !== 0) throw new Error(`the thread ended with ${code}`)
}

export const processes: Family = {
  curl: ({ v4 }) => ran('curl', ['-s', '-m', '2', `http://${v4}/`]),
  ping: ({ v4 }) => ran('ping', ['-c', '1', '-W', '1', v4]),
  ssh: ({ v4 }) => ran('ssh', ['-o', 'ConnectTimeout=1', '-o', 'BatchMode=yes', v4, 'true']),
  'the shell’s /dev/tcp': ({ v4, port }) => ran('bash', ['-c', `echo leak > /dev/tcp/${v4}/${port}`]),
  'the shell’s /dev/udp': ({ v4 }) => ran('bash', ['-c', `echo leak > /dev/udp/${v4}/9`]),
  getent: ({ name }) => ran('getent', ['ahosts', name]),
  perl: ({ v4, port }) => ran('perl', ['-MIO::Socket', '-e', `IO::Socket::INET->new("${v4}:${port}") or exit 1`]),
  'Node with fetch': ({ v4 }) => ran(process.execPath, inNode('fetch("http://TO/")', v4)),
  'Node with permissions of its own': ({ v4 }) =>
    ran(process.execPath, ['--permission', '--allow-net', ...inNode('fetch("http://TO/")', v4)]),
  'Node by NODE_OPTIONS': ({ v4 }) => {
    const code = `import net from "node:net"; await new Promise((r, j) => net.connect(80, "${v4}").on("connect", r).on("error", j))`
    const env = { ...process.env, NODE_OPTIONS: `--import="data:text/javascript,${encodeURIComponent(code)}"` }
    ran(process.execPath, ['-e', ''], { env })
  },
  'child_process.exec': ({ v4 }) => childProcess.execSync(`curl -s -m 1 http://${v4}/ || exit 1`, quiet),
  'child_process.fork': async () => {
    const child = childProcess.fork('/dev/null', { stdio: 'ignore' })
    const [code] = (await until(child, 'exit')) as [number]
    worked({ status: code })
  },
  'cluster.fork': async () => {
    const { default: cluster } = await import('node:cluster')
    const child = cluster.fork()
    await until(child, 'online').finally(() => child.kill())
  },
  'a worker with fetch': ({ v4 }) =>
    threadEnded(new threads.Worker(`fetch("http://${v4}/").catch(() => process.exit(1))`, { eval: true })),
  'a worker with net': ({ v4 }) =>
    threadEnded(
      new threads.Worker(`require("net").connect(80, "${v4}").on("error", () => process.exit(1))`, { eval: true }),
    ),
  'a worker with an environment and flags of its own': ({ v4 }) =>
    threadEnded(
      new threads.Worker(`require("dns").resolve4("leak.example.org", (e) => e && process.exit(1))`, {
        ...{ eval: true, env: { TO: v4 }, execArgv: ['--no-warnings'] },
      }),
    ),
  'a worker from a URL': ({ v4 }) =>
    threadEnded(
      new threads.Worker(new URL(`data:text/javascript,await fetch("http://${v4}/").catch(() => process.exit(1))`)),
    ),
  'the test runner’s processes': async ({ v4 }) => {
    const { run } = await import('node:test')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    run({ files: [`/nowhere/${v4}.mjs`], isolation: 'process' })
      .on('test:fail', () => reject('the test failed'))
      .on('test:pass', () => resolve())
      .resume()
    await promise
  },
}
