/** Hands events to whoever listens. A listener that throws harms nobody else: its error surfaces on its own. */
import type { ChatEvent } from './events.ts'

export type Listener = (event: ChatEvent) => void

export class EventsHub {
  /** Told to everybody who begins to listen: it happened before there was anybody. */
  standing: ChatEvent | undefined
  private readonly listeners = new Set<Listener>()

  /** Returns how to stop. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener)
    const { standing } = this
    if (standing !== undefined) queueMicrotask(() => this.listeners.has(listener) && listener(standing))
    return () => this.listeners.delete(listener)
  }

  emit(event: ChatEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
