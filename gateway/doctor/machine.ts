/** What can be seen on the machine itself: files, room, the gateway's own socket. */
import { existsSync } from 'node:fs'
import { readdir, readFile, stat, statfs } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { GatewayConfig } from '../config.ts'
import { frontFile, systemFiles } from '../deploy/files.ts'
import { type Plan, SERVICE } from '../deploy/plan.ts'
import { APART_DAYS } from '../expiry-clock.ts'
import { unexpectedFrom } from '../first-contact.ts'
import { CONFIG_FILE } from '../state.ts'
import { bad, type Finding, good, RENEW, RENEWED_BY_DAYS } from './finding.ts'

const DAY_MS = 86_400_000
const GIB = 1024 ** 3
/** Octets of room below which the operator is told, and below which mail is in danger. */
const ROOM = { warn: GIB, fail: GIB / 16 } as const

export async function checkModes(folder: string, { listen }: GatewayConfig): Promise<Finding> {
  const open: string[] = []
  const check = async (path: string, forbidden: number): Promise<void> => {
    if (existsSync(path) && ((await stat(path)).mode & forbidden) !== 0) open.push(path)
  }
  await check(folder, 0o077)
  for (const name of await readdir(folder)) if (name.endsWith('.key')) await check(join(folder, name), 0o077)
  await check(join(folder, CONFIG_FILE), 0o022)
  if (listen.kind === 'https') await check(listen.key, 0o007)
  if (open.length === 0) return good('modes', 'Keys and state are closed to others.')
  return bad('modes', 'fail', `Open to others: ${open.join(', ')}.`, 'chmod 600 for files, 700 for the state folder.')
}

/** @param room octets free; asked of the file system where nothing is given */
export async function checkDisk(folder: string, room?: number): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder)
  const free = room ?? bavail * bsize
  const what = `${(free / GIB).toFixed(1)} GiB free for ${folder}.`
  if (free >= ROOM.warn) return good('disk', what)
  return bad(
    'disk',
    free < ROOM.fail ? 'fail' : 'warn',
    what,
    'Free some space, or lower limits.storeBytes in gateway.yaml.',
  )
}

/** @param end of the certificate in its file; whether it is the one that is shown, the doctor sees over the network */
export function checkLastDay(end: Date, now: number): Finding {
  const days = Math.floor((end.getTime() - now) / DAY_MS)
  if (days >= RENEWED_BY_DAYS) return good('certificate', `The certificate is good for ${days} days.`)
  const what = days < 0 ? 'The certificate has ended.' : `The certificate ends in ${days} days.`
  return bad('certificate', days < 0 ? 'fail' : 'warn', what, RENEW)
}

/** @param counted what the gateway has counted (../expiry-clock.ts); undefined before it has run */
export function checkAging(counted: number | undefined, now: number): Finding {
  const days = Math.round(Math.abs(now - (counted ?? now)) / DAY_MS)
  if (days < APART_DAYS) return good('clock', 'The clock is where the gateway has counted to.')
  const what = `The machine’s clock is ${days} days ${now > counted! ? 'ahead of' : 'behind'} what the gateway has counted: it was down that long, or the clock was set.`
  return bad('clock', 'warn', what, 'Is it right? date; timedatectl set-ntp true. Waiting mail is not ended by it.')
}

/** @param until up to when first contacts were forgotten (../used-contacts.ts); undefined where none were */
export function checkContacts(until: number | undefined, now: number): Finding {
  if (until === undefined || now >= unexpectedFrom(until))
    return good('clock', 'The clock recognises who begins a session.')
  const what = `The machine’s clock is behind ${new Date(until).toISOString()}, where the gateway has been: whoever begins a session gets the website, since old requests could be sent again.`
  return bad(
    'clock',
    'fail',
    what,
    'Is it right? date; timedatectl set-ntp true. If it was ahead before, members are recognised again from then on.',
  )
}

export async function checkGateway({ listen }: GatewayConfig): Promise<Finding> {
  const where = listen.kind === 'unix' ? listen.path : `${listen.host}:${listen.port}`
  if (await answers(listen)) return good('gateway', `The gateway listens on ${where}.`)
  return bad(
    'gateway',
    'fail',
    `Nothing listens on ${where}.`,
    `systemctl status ${SERVICE}, then journalctl -u ${SERVICE}.`,
  )
}

function answers(listen: GatewayConfig['listen']): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = listen.kind === 'unix' ? connect(listen.path) : connect(listen.port, reachable(listen.host))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** All addresses of a machine are one that it reaches itself; its name may lead to any. */
const reachable = (host: string): string => ({ '0.0.0.0': '127.0.0.1', '::': '::1' })[host] ?? host

/** @param etc where the system files were put; undefined where they never were */
export async function checkFiles(plan: Plan, etc: string | undefined): Promise<Finding> {
  const again =
    'Run sotto gateway init again with the same options (--force where a file was changed by hand), then reload the web server.'
  const needed = frontFile(plan)
  const faults: string[] = []
  let level: 'warn' | 'fail' = 'warn'
  for (const { path, text } of systemFiles(plan)) {
    const file = join(etc ?? '/etc', path)
    const found = existsSync(file) ? await readFile(file, 'utf8') : undefined
    if (found === text) continue
    faults.push(`${file} ${found === undefined ? 'is missing' : 'is not what the configuration and templates ask for'}`)
    if (path === needed) level = 'fail'
  }
  if (faults.length === 0) return good('files', 'The system files fit the configuration and the templates in use.')
  return bad('files', level, `${faults.join('; ')}.`, again)
}

/** Patience and buffering of the web server in front, as its file says. undefined where there is no such file. */
export async function checkHold(plan: Plan, etc: string | undefined, holdMs: number): Promise<Finding | undefined> {
  const name = frontFile(plan)
  const file = name === undefined ? undefined : join(etc ?? '/etc', name)
  if (file === undefined || !existsSync(file)) return undefined
  const text = await readFile(file, 'utf8')
  const limits = [...text.matchAll(/(?:proxy_read_timeout|response_header_timeout)\s+(\d+)s/g)].map(([, s]) =>
    Number(s),
  )
  const buffering = plan.kind === 'nginx' && !text.includes('proxy_buffering off;')
  const shortest = Math.min(...limits)
  if (limits.length > 0 && shortest * 1000 > holdMs && !buffering)
    return good(
      'hold',
      `The web server waits ${shortest} s, the gateway holds ${holdMs / 1000} s at most, nothing is buffered.`,
    )
  const what = buffering
    ? `${file} lets nginx buffer answers.`
    : `${file} lets the web server wait ${limits.length === 0 ? 'as long as it likes' : `${shortest} s`}, and the gateway holds up to ${holdMs / 1000} s.`
  return bad(
    'hold',
    'fail',
    what,
    'Write the file anew with sotto gateway init --force, or lower hold in gateway.yaml.',
  )
}
