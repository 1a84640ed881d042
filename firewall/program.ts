/**
 * The modules that the core's process starts with. In a prepared program (scripts/prepare.ts) others stand in their place,
 * which run the same sources.
 */
import { extname, join } from 'node:path'

const kind: string = extname(import.meta.filename)

export const coreEntry: string = join(import.meta.dirname, '..', 'client', `main${kind}`)
/** Runs before anything else of the core. */
export const confineModule: string = join(import.meta.dirname, `confine${kind}`)
