/** `sotto gateway uninstall`: takes away what `gateway init` has made, and nothing else. */
import { existsSync } from 'node:fs'
import { readdir, rm, rmdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isSottoError } from '#protocol/errors.ts'
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
 * @throws SottoError E_STATE_UNREADABLE where there is no gateway, E_STATE_BUSY while it runs
 */
export async function planUninstall(stateFolder: string): Promise<UninstallPlan> {
  const folder = resolve(stateFolder)
  const state = existsSync(folder) ? (await readdir(folder)).filter(isOurs) : []
  if (state.length === 0) throw unreadable(`There is no gateway in ${folder}.`)
  await refuseRunning(folder)
  const made = await Made.open(folder)
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

/** Folders and files of the state, and what a writing that broke off has left of them. */
function isOurs(name: string): boolean {
  const whole = name.replace(/(?:(?:\.[0-9a-f]{12})?\.draft|\.next)$/, '')
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
