/**
 * The gate: the one process of a confined client that may use the network. It connects to machines of its list and passes
 * octets on, without looking into them; the broker gets the other end of a local socket and never a socket of the network. It reads nothing
 * that comes from outside but addresses, and nothing from the broker but four questions.
 */
import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import * as v from 'valibot'
import type { Leave } from '../lockdown.ts'
import type { GateList } from './gate-list.ts'
import type { Answer, Beginning, Question } from './gate-messages.ts'
import { GateLimits, questionSchema } from './gate-messages.ts'
import { relay } from './relay.ts'

export interface GateOptions {
  readonly list: GateList
  readonly leave: Leave
  readonly beginning: Beginning
  /** Something was asked for that the list does not allow; the broker would not have asked. */
  readonly refused: (what: 'resolve' | 'connect' | 'malformed') => void
}

/** Serves the broker until it is gone. */
export function serveGate(broker: ChildProcess, options: GateOptions): void {
  const gate = new Gate(broker, options)
  broker.on('message', (message) => void gate.receive(message))
}

class Gate {
  private readonly broker: ChildProcess
  private readonly options: GateOptions
  private questions = 0
  private connections = 0

  constructor(broker: ChildProcess, options: GateOptions) {
    this.broker = broker
    this.options = options
  }

  async receive(message: unknown): Promise<void> {
    const question = v.safeParse(questionSchema, message)
    if (!question.success || this.questions >= GateLimits.questions) {
      this.options.refused('malformed')
      this.broker.kill('SIGKILL')
      return
    }
    this.questions++
    const { id } = question.output
    try {
      const [value, socket] = await this.answer(question.output)
      this.send({ id, value }, socket)
    } catch (error) {
      this.send({ id, code: codeOf(error) })
    } finally {
      this.questions--
    }
  }

  private async answer(question: Question): Promise<readonly [unknown, Socket?]> {
    const { list, leave, beginning } = this.options
    if (question.ask === 'begin') return [beginning]
    if (question.ask === 'facts') return [await leave.way.facts()]
    if (question.ask === 'resolve') {
      if (!list.mayResolve(question.host)) throw this.refuse('resolve')
      const addresses = await leave.way.resolve(question.host)
      list.learn(question.host, addresses)
      return [addresses]
    }
    if (!list.mayConnect(question.address, question.port)) throw this.refuse('connect')
    return [null, await this.connect(question.address, question.port)]
  }

  private async connect(address: string, port: number): Promise<Socket> {
    if (this.connections >= GateLimits.connections) throw Object.assign(new Error('too many'), { code: 'EMFILE' })
    this.connections++
    const done = (): void => void this.connections--
    let outer: Socket | undefined
    try {
      outer = await this.options.leave.way.connect(address, port, AbortSignal.timeout(GateLimits.connectMs))
      // Until it is relayed, an error would have no listener.
      outer.on('error', () => {})
      const [inner, handed] = await this.options.leave.pair()
      relay(inner, outer, done)
      return handed
    } catch (error) {
      outer?.destroy()
      done()
      throw error
    }
  }

  private refuse(what: 'resolve' | 'connect'): Error {
    this.options.refused(what)
    return Object.assign(new Error('refused'), { code: 'EACCES' })
  }

  private send(answer: Answer, socket?: Socket): void {
    if (!this.broker.connected) socket?.destroy()
    else if (socket === undefined) this.broker.send(answer)
    else this.broker.send(answer, socket)
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'ETIMEDOUT'
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO'
}
