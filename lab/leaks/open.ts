/** Every attempt in a process that nothing guards: shows that they are real. */
import { connect } from 'node:net'
import { elsewhere, tryAll } from './attempt.ts'
import { watchHandles } from './attempts/handles.ts'
import { reaching } from './families.ts'
import { printer } from './lines.ts'

watchHandles()
await new Promise((resolve) => connect(1, '127.0.0.1').on('error', resolve))
await new Promise((resolve) => connect('/nowhere').on('error', resolve))
await tryAll(
  reaching,
  elsewhere(process.argv[2]!),
  printer('open', () => 0),
)
process.exit(0)
