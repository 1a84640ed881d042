import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'

const script = `
  import { openTerminal } from ${JSON.stringify(join(import.meta.dirname, 'terminal.ts'))}
  const { stdin: input, stdout: output } = process
  const onLine = (line) => (line === '/quit' ? terminal.close() : terminal.print(line))
  const terminal = openTerminal({ input, output, onLine, onClose() {}, complete: () => [], isSecret: () => false })
`

test('/quit ends the program, though whoever types holds the pipe open', async (t) => {
  t.timeout(120_000)
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill())
  child.stdin.write('hello\n')
  const [said] = await once(child.stdout, 'data')
  t.is(String(said), 'hello\n')
  child.stdin.write('/quit\n')
  const [code] = await once(child, 'exit')
  t.is(code, 0)
})
