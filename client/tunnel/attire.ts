/** What exchanges look like that begin now: the template, and its rhythm. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Rhythm } from '#engine/rhythm.ts'
import { createRhythm } from '#engine/rhythm.ts'
import type { Millis } from '#protocol/bytes.ts'

export class Attire {
  private readonly seed: Uint8Array
  private worn: CompiledTemplate
  private beat: Rhythm

  /** `seed` 16 octets, secret. */
  constructor(template: CompiledTemplate, seed: Uint8Array, now: Millis) {
    this.seed = seed
    this.worn = template
    this.beat = createRhythm(template.rhythm, seed, now)
  }

  get template(): CompiledTemplate {
    return this.worn
  }

  get rhythm(): Rhythm {
    return this.beat
  }

  /** False where it is worn already. */
  wear(template: CompiledTemplate, now: Millis): boolean {
    if (template === this.worn) return false
    this.worn = template
    this.beat = createRhythm(template.rhythm, this.seed, now)
    return true
  }
}
