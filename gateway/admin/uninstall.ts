/** `sotto gateway uninstall`: takes away what `gateway init` has made, and nothing else. */
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { MADE_FILE, Made } from '../deploy/made.ts'
import { TRACKER_FOLDER } from '../services/tracker/state.ts'
import { FILES_FOLDER, openState, STATE_FILES, STORE_FOLDER } from '../state.ts'
import { stateFault, unreadable } from '../store/faults.ts'
import { holdStore } from '../store/holder.ts'

export interface UninstallPlan {
  readonly folder: string
  /** Absolute paths of system files and of the sample website, as far as nobody changed that. */
  readonly files: readonly string[]
  /** Among `files`: changed by somebody since they were written. */
  readonly edited: readonly string[]
  /** Names in the state folder: with them go members, their waiting mail, and the keys that invites name. */
  readonly state: readonly string[]
}

/**
 * What would go.
 * @throws SottoError E_STATE_UNREADABLE where there is no gateway, E_STATE_BUSY while it runs, E_USAGE where a website needs it
 */
export async function planUninstall(stateFolder: string): Promise<UninstallPlan> {
  const folder = resolve(stateFolder)
  const state = (await readdir(folder).catch(() => [])).filter(isOurs)
  if (state.length === 0) throw unreadable(`There is no gateway in ${folder}.`)
  await refuseRunning(folder)
  const made = await Made.open(folder)
  await refuseUsed(made)
  const files: string[] = []
  const edited: string[] = []
  for (const path of made.paths.filter((each) => !STATE_FILES.some((name) => each === join(folder, name)))) {
    const changed = existsSync(path) && !(await made.isUnchanged(path))
    // System files are ours whatever became of them. A website that was changed is somebody's website.
    if (changed && !isSystem(made, path)) continue
    files.push(path)
    if (changed) edited.push(path)
  }
  return { folder, files, edited, state }
}

/** What an operator's own website has taken in: without it the web server would not start again. */
const TAKEN_IN = /^[^#\n]*(?:include[^\n]*snippets\/sotto-gateway\.conf|import +sotto\b)/m

/** @throws SottoError E_USAGE where the configuration of a web server that is not from here names files that would go */
async function refuseUsed({ etc, paths }: Made): Promise<void> {
  const isFront = (path: string): boolean => /snippets\/sotto-gateway\.conf$|sotto-gateway\.caddy$/.test(path)
  if (etc === undefined || !paths.some(isFront)) return
  const users: string[] = []
  for (const folder of ['nginx', 'caddy'].map((name) => join(etc, name))) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name)
      if (!entry.isFile() || paths.includes(path)) continue
      if (TAKEN_IN.test(await readFile(path, 'utf8').catch(() => ''))) users.push(path)
    }
  }
  if (users.length === 0) return
  const what = `nothing was removed: ${users.join(' and ')} takes in the gateway’s lines, and the web server would not start without them`
  throw new SottoError('E_USAGE', what, { next: 'Take that line out, reload the web server, and run this again.' })
}

/** Folders and files of the state, and what a writing that broke off has left of them. */
function isOurs(name: string): boolean {
  const whole = name.replace(/(?:(?:\.[0-9a-f]{12})?\.draft|\.sotto-draft|\.next)$/, '')
  return [...STATE_FILES, STORE_FOLDER, FILES_FOLDER, TRACKER_FOLDER, MADE_FILE].includes(whole)
}

const isSystem = ({ etc }: Made, path: string): boolean => etc !== undefined && path.startsWith(`${etc}/`)

/** A state that cannot be opened is held by nobody. */
async function refuseRunning(folder: string): Promise<void> {
  try {
    const state = await openState(folder)
    try {
      const release = await holdStore(state.store)
      await release()
    } finally {
      await state.close()
    }
  } catch (error) {
    if (isSottoError(error, 'E_STATE_BUSY')) throw error
  }
}

/** Carries it out; may be run again where it broke off. Returns the paths that stay in the state folder. */
export async function uninstall({ folder, files, state }: UninstallPlan): Promise<string[]> {
  const made = await Made.open(folder)
  for (const path of files) await made.remove(path)
  try {
    for (const name of state) await rm(join(folder, name), { recursive: true, force: true })
    const left = await readdir(folder)
    if (left.length === 0) await rmdir(folder)
    return left.map((name) => join(folder, name))
  } catch (error) {
    throw stateFault(error, `remove ${folder}`)
  }
}
