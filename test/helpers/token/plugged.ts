/**
 * A security key in software, plugged in: a pseudo-terminal in place of `/dev/hidrawN`. libfido2 opens any character device
 * that it is told, and takes the usual length of reports where the device does not say (64 octets); so Debian's own programs
 * run whole, with all their cryptography. What they cannot do is list it: the system does not know it.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Owner } from '../command.ts'
import type { Authenticator } from './authenticator.ts'

export const hasFidoTools = (): boolean =>
  ['fido2-token', 'fido2-cred', 'fido2-assert', 'script'].every((name) => existsSync(`/usr/bin/${name}`))

const REPORT = 64
const Kind = { init: 0x86, message: 0x90 } as const
/** Octets of the header of a report that begins a message, and of one that goes on with it (CTAPHID). */
const FIRST = 7
const NEXT = 5

/** Path of a device behind which `token` answers until the test ends. */
export function plugIn(t: Owner, token: Authenticator): Promise<string> {
  // Reads give whole reports.
  const line = 'stty raw -echo min 64 time 0 && tty && exec sleep 600'
  const pty = spawn('script', ['-qfc', line, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, SHELL: '/bin/sh' },
  })
  // What it runs ends with its terminal.
  t.teardown(() => void pty.kill('SIGKILL'))
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  pty.once('error', reject)
  pty.once('close', () => reject(new Error('there is no pseudo-terminal')))
  let come: Buffer = Buffer.alloc(0)
  let path: string | undefined
  const messages = new Messages(token, (report) => pty.stdin.write(report))
  pty.stdout.on('data', (chunk: Buffer) => {
    come = Buffer.concat([come, chunk])
    const end = come.indexOf('\n')
    if (path === undefined && end >= 0) {
      path = come.toString('utf8', 0, end).trim()
      come = come.subarray(end + 1)
      resolve(path)
    }
    // A number of the kind of report stands before each one.
    for (; path !== undefined && come.length > REPORT; come = come.subarray(REPORT + 1)) {
      messages.take(come.subarray(1, REPORT + 1))
    }
  })
  return promise
}

/** Reports put together to messages, and answers cut into reports. */
class Messages {
  private readonly token: Authenticator
  private readonly send: (report: Uint8Array) => void
  private channel: Buffer = Buffer.alloc(4)
  private kind = 0
  private length = 0
  private body: Buffer = Buffer.alloc(0)

  constructor(token: Authenticator, send: (report: Uint8Array) => void) {
    this.token = token
    this.send = send
  }

  take(report: Buffer): void {
    const begins = (report[4]! & 0x80) !== 0
    if (begins) {
      this.channel = Buffer.from(report.subarray(0, 4))
      this.kind = report[4]!
      this.length = report.readUInt16BE(5)
      this.body = Buffer.from(report.subarray(FIRST))
    } else this.body = Buffer.concat([this.body, report.subarray(NEXT)])
    if (this.body.length < this.length) return
    const whole = this.body.subarray(0, this.length)
    if (this.kind === Kind.init) this.reply(Buffer.concat([whole, Buffer.of(1, 2, 3, 4, 2, 0, 0, 0, 0x0c)]))
    // Others (cancel, wink) want no answer here.
    if (this.kind === Kind.message) this.reply(this.token.answer(whole))
  }

  private reply(body: Uint8Array): void {
    const first = Buffer.alloc(REPORT)
    first.set(this.channel)
    first[4] = this.kind
    first.writeUInt16BE(body.length, 5)
    first.set(body.subarray(0, REPORT - FIRST), FIRST)
    this.send(first)
    for (let at = REPORT - FIRST, number = 0; at < body.length; at += REPORT - NEXT, number++) {
      const report = Buffer.alloc(REPORT)
      report.set(this.channel)
      report[4] = number
      report.set(body.subarray(at, at + REPORT - NEXT), NEXT)
      this.send(report)
    }
  }
}
