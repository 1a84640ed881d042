/** The two people of the demo, and how one of them opens a chat. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { SottoError } from '#protocol/errors.ts'
import { memberFlags } from '../node-flags.ts'
import { memberMain } from './commands.ts'

export const members: readonly string[] = ['alice', 'bob']

/** File that marks a demo in which everything is set up. */
export const READY = 'ready'

export const nameOfMember = (member: string): string => member[0]!.toUpperCase() + member.slice(1)

export interface DemoChat {
  readonly state: string
  readonly member: string
  readonly viewPort: number
  /** The folder that the member shares; undefined for none. */
  readonly files: string | undefined
}

/** The member's chat on this terminal; what is said in it is shown in the live view. Returns its exit status. */
export async function openChat({ state, member, viewPort, files }: DemoChat): Promise<number> {
  const folder = join(state, member)
  if (!existsSync(join(state, READY))) {
    throw new SottoError('E_NOT_JOINED', `${member} is not set up yet`, {
      next: 'Run ./scripts/start in another terminal first, and leave it running.',
    })
  }
  const shared = files === undefined ? [] : ['--files', files]
  const args = [...memberFlags, memberMain, 'chat', '--state', folder, '--events-fd', '4', ...shared]
  const child = spawn(process.execPath, args, { stdio: ['inherit', 'inherit', 'inherit', 'ignore', 'pipe'] })
  // Ctrl-C is for the chat; it ends, and then this does.
  process.on('SIGINT', () => {})
  createInterface({ input: child.stdio[4] as Readable }).on('line', (line) => {
    const event = JSON.parse(line) as { type: string; message?: { from: string; text: string; time: number } }
    if (event.type !== 'message' || event.message?.from !== 'me') return
    const { text, time } = event.message
    report(viewPort, { at: time, who: member, text })
  })
  return await new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}

/** The view may not be there; the chat does not depend on it. */
function report(port: number, said: object): void {
  const post = request({ host: '127.0.0.1', port, path: '/said', method: 'POST' }, (response) => response.resume())
  post.on('error', () => {})
  post.end(JSON.stringify(said))
}
