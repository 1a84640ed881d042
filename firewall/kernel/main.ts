/** The broker of a confined client: started by the gate, without a network of its own. Arguments: the command line. */
import { findPackageJSON } from 'node:module'
import { dirname } from 'node:path'
import { lockDown } from '../lockdown.ts'

const leave = lockDown()
// Without the gate there is nothing left to do.
process.once('disconnect', () => process.exit(1))
const { gateWay } = await import('./gate-way.ts')
const { coreEntry } = await import('../program.ts')
const { fromBase64url } = await import('#protocol/bytes.ts')
const { run } = await import('../run.ts')
const way = gateWay()
const { link, unlocked } = await way.begin()
const root = dirname(findPackageJSON('../..', import.meta.url) ?? coreEntry)
await run({
  entry: coreEntry,
  root,
  args: process.argv.slice(2),
  env: process.env,
  leave: { ...leave, way },
  link,
  unlocked: unlocked && { ...unlocked, secret: fromBase64url(unlocked.secret)! },
})
