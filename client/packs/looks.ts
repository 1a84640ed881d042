/**
 * Which templates the traffic to one gateway may take, best first: those of the pack in use, those of the last good pack,
 * and last the one that the invite named. What worked on the network we are on comes first among each.
 */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { NetworkMemory } from '../network-memory.ts'

export interface LooksInput {
  /** Template of the invite. */
  readonly bootstrap: CompiledTemplate
  /** undefined: this template and no other, whatever packs say (the person asked for it). */
  readonly memory: NetworkMemory | undefined
}

export class Looks {
  private readonly memory: NetworkMemory | undefined
  private bootstrap: CompiledTemplate
  private sets: readonly (readonly CompiledTemplate[])[] = []
  private pinned: boolean

  constructor({ bootstrap, memory }: LooksInput) {
    this.bootstrap = bootstrap
    this.memory = memory
    this.pinned = memory === undefined
  }

  /** True where the person has chosen: packs change nothing then. */
  get isPinned(): boolean {
    return this.pinned
  }

  get invited(): CompiledTemplate {
    return this.bootstrap
  }

  /** Only this one from now on. */
  pin(template: CompiledTemplate): void {
    this.bootstrap = template
    this.sets = []
    this.pinned = true
  }

  /** Templates of packs, the pack in use first. */
  setPacks(...sets: readonly (readonly CompiledTemplate[])[]): void {
    if (!this.pinned) this.sets = sets
  }

  async candidates(): Promise<readonly CompiledTemplate[]> {
    // Without a name for the network nothing is known of it; there are templates all the same.
    const known = (await this.memory?.worked().catch(() => [])) ?? []
    const inOrder = [...this.sets, [this.bootstrap]].flatMap((set) => byMemory(set, known))
    const byBinding = new Map<string, CompiledTemplate>()
    for (const template of inOrder) if (!byBinding.has(template.bindingId)) byBinding.set(template.bindingId, template)
    return [...byBinding.values()]
  }

  /** It carries on the network we are on. */
  async worked(template: CompiledTemplate): Promise<void> {
    await this.memory?.remember(template.bindingId)
  }
}

/** What worked last comes first; what is not known keeps its order behind that. */
function byMemory(set: readonly CompiledTemplate[], known: readonly string[]): CompiledTemplate[] {
  const rank = ({ bindingId }: CompiledTemplate): number => {
    const at = known.indexOf(bindingId)
    return at < 0 ? known.length : at
  }
  return set.toSorted((a, b) => rank(a) - rank(b))
}
