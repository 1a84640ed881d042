/**
 * Genuine visitors whose program is one on Node's own fetch, many in one process: the site's application for the desktop.
 * Lines of JSON, answered in any order:
 *     {id, run: 'enter', host, template}   -> {id}
 *     {run: 'say', host, kind}                            a message or a notice
 *     {id, run: 'leave', host}             -> {id}
 *     visitor.ts CERTIFICATE_FILE ADDRESS
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Agent, fetch } from 'undici'
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileBuiltins } from '../../../camouflage-templates/builtin.ts'
import type { RequestKind } from './requests.ts'
import { OPENING, quietOctets, requestOf, thinkOf } from './requests.ts'

interface Command {
  readonly id: number
  readonly run: 'enter' | 'say' | 'leave'
  readonly host: string
  readonly template: string
  readonly kind: RequestKind
}

const templates = new Map(compileBuiltins().map((each) => [each.id, each]))
const [certificate = '', address = ''] = process.argv.slice(2)
const ca = readFileSync(certificate)
/** What fetch writes itself. */
const its = /^(host|connection|content-length|accept-language|sec-fetch-mode|user-agent)$/i

class Visitor {
  private readonly host: string
  private readonly template: CompiledTemplate
  private readonly agent: Agent
  private readonly quiet: number
  private isHere = true

  constructor(host: string, template: CompiledTemplate) {
    this.host = host
    this.template = template
    this.quiet = quietOctets(template)
    const lookup = ((
      _name: string,
      options: { readonly all?: boolean },
      done: (error: null, ...found: unknown[]) => void,
    ) => (options.all ? done(null, [{ address, family: 4 }]) : done(null, address, 4))) as never
    // As Node 24 has it; Node 26 would offer HTTP/2.
    this.agent = new Agent({ connect: { ca, lookup }, allowH2: false })
  }

  async enter(): Promise<void> {
    await this.get(this.template.page)
    for (const kind of OPENING) await this.ask(kind)
    void this.listen()
  }

  say(kind: RequestKind): void {
    void this.ask(kind)
  }

  async leave(): Promise<void> {
    this.isHere = false
    await this.agent.destroy()
  }

  private async listen(): Promise<void> {
    const [from, to] = thinkOf(this.template)
    while (this.isHere) {
      const think = from + Math.random() * (to - from)
      if (think > 0) await new Promise((resolve) => setTimeout(resolve, think))
      const octets = await this.ask('poll')
      if (octets > this.quiet) await this.ask('acknowledge')
    }
  }

  private async get(path: string): Promise<void> {
    const answer = await fetch(`https://${this.host}${path}`, { dispatcher: this.agent })
    await answer.arrayBuffer()
  }

  /** Octets of the answer's body; 0 where there was none. */
  private async ask(kind: RequestKind): Promise<number> {
    const { method, target, headers, body } = requestOf(this.template, kind, this.host)
    try {
      const answer = await fetch(`https://${this.host}${target}`, {
        ...{ method, dispatcher: this.agent },
        headers: headers.filter(([name]) => !its.test(name)).map(([name, value]) => [name, value]),
        ...(body === undefined ? {} : { body }),
      })
      return (await answer.arrayBuffer()).byteLength
    } catch {
      // Left in the middle of it, or the network failed: the next one tries again.
      if (this.isHere) await new Promise((resolve) => setTimeout(resolve, 500))
      return 0
    }
  }
}

const here = new Map<string, Visitor>()

async function obey({ run, host, template, kind }: Command): Promise<void> {
  if (run === 'enter') {
    const visitor = new Visitor(host, templates.get(template)!)
    here.set(host, visitor)
    await visitor.enter()
  } else if (run === 'say') here.get(host)?.say(kind)
  else {
    await here.get(host)?.leave()
    here.delete(host)
  }
}

const tell = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
tell({ ready: true })
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command
  obey(command).then(
    () => tell({ id: command.id }),
    (error: Error) => tell({ id: command.id, error: error.message }),
  )
}
process.exit()
