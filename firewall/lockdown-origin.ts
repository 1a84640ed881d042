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
const own = /\/firewall\/(lockdown[\w-]*|denials)\.[jt]s$/

/** `road`: what was closed, where the stack says nothing better. */
export function originOf(road: string): Origin {
  const frames = getCallSites(FRAMES).filter(({ scriptName }) => !own.test(scriptName))
  const outside = frames.findIndex(({ scriptName }) => !scriptName.startsWith('node:'))
  const inside = outside < 0 ? [] : frames.slice(0, outside)
  const modules = frames.slice(Math.max(outside, 0)).map(({ scriptName }) => scriptName)
  const origin = [...new Set(modules.filter((name) => !name.startsWith('node:')).map(readable))].slice(0, MODULES)
  return { call: callOf(road, inside), origin: outside < 0 ? 'unknown' : origin.join(' < ') }
}

/** Where Node keeps what people know by another name. */
const known: Readonly<Record<string, string>> = { 'internal/tls/wrap': 'tls', 'internal/http2/core': 'http2' }

/** `node:https` and `get` make `https.get`; functions without a name, and Node's own plumbing, say less than the road. */
function callOf(road: string, inside: readonly CallSiteObject[]): string {
  if (road.startsWith('node:')) return road
  const calls = inside.flatMap(({ scriptName, functionName }) => {
    const file = scriptName.slice('node:'.length)
    const name = /(\w+)$/.exec(functionName)?.[1]
    const module = known[file] ?? (file.startsWith('internal/') ? undefined : file)
    return module === undefined || name === undefined ? [] : [`${module}.${name}`]
  })
  return calls.at(-1) ?? road
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
