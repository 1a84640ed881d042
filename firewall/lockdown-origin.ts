/**
 * Who tried, and by which function: read from the stack. For people who read the log, not for decisions, since code can call
 * itself what it likes and hide behind others.
 */
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CallSiteObject, getCallSites } from 'node:util'

export interface Origin {
  /** The outermost function of Node that was called, such as `https.get`. */
  readonly call: string
  /** Up to three modules, nearest first: files of the program from its folder, others by their last part. */
  readonly origin: string
}

/** V8 gives at most this many. */
const FRAMES = 100
const MODULES = 3
/** Characters. Attack: a script names itself as it likes, and the log is for people. */
const NAME_LENGTH = 100

const program = fileURLToPath(new URL('..', import.meta.url))
const own = /\/firewall\/lockdown[\w-]*\.[jt]s$/

/** `road`: what was closed, where the stack says nothing better. */
export function originOf(road: string): Origin {
  const frames = getCallSites(FRAMES).filter(({ scriptName }) => !own.test(scriptName))
  const outside = frames.findIndex(({ scriptName }) => !scriptName.startsWith('node:'))
  const inside = outside < 0 ? [] : frames.slice(0, outside)
  const modules = frames.slice(Math.max(outside, 0)).map(({ scriptName }) => scriptName)
  const origin = [...new Set(modules.filter((name) => !name.startsWith('node:')).map(readable))].slice(0, MODULES)
  return { call: callOf(road, inside), origin: outside < 0 ? 'unknown' : origin.join(' < ') }
}

/** `node:https` and `get` make `https.get`; functions without a name, and Node's own plumbing, say less than the road. */
function callOf(road: string, inside: readonly CallSiteObject[]): string {
  const outermost = inside.findLast(({ scriptName }) => !scriptName.startsWith('node:internal/'))
  const name = /(\w+)$/.exec(outermost?.functionName ?? '')?.[1]
  return outermost === undefined || name === undefined ? road : `${outermost.scriptName.slice('node:'.length)}.${name}`
}

function readable(script: string): string {
  const path = script.startsWith('file://') ? fileURLToPath(script) : script
  const installed = path.lastIndexOf(`node_modules${sep}`)
  const short =
    installed >= 0 ? path.slice(installed) : path.startsWith(program) ? path.slice(program.length) : tail(path)
  return short.replace(/[^\x21-\x7e]/g, '?').slice(-NAME_LENGTH) || 'text without a name'
}

/** Paths of this machine say where people keep things: the last part is enough. */
function tail(path: string): string {
  return path.slice(path.lastIndexOf(sep) + 1)
}
