/** The core of `command-shifted.ts`. */
import { shiftClock } from './command-shifted-clock.ts'

shiftClock()
await import('../../client/main.ts')
