'use strict'
/**
 * Runs a program that `scripts/prepare` has put together: each module is a function of its own, which sees what it imports and
 * the global scope, and nothing of the other modules. V8's code for it is read, not made; where V8 does not want it (another Node,
 * other flags), the text is compiled.
 *
 * Dependencies that turn bad may change the language: what is used after the first module has run is captured here, and no
 * method of an object that others reach is called.
 */
const { readFileSync } = require('node:fs')
const Module = require('node:module')
const { dirname, join } = require('node:path')
const { pathToFileURL } = require('node:url')
const { Script } = require('node:vm')
const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, preventExtensions, setPrototypeOf } = Reflect
const { create, freeze, getOwnPropertyNames, hasOwn } = Object
const { createRequire } = Module

// What compiles a module and what hands it Node's own: nobody gets in between, as nobody does with Node's loader.
for (const each of [Script, Script.prototype, getPrototypeOf(Script), getPrototypeOf(Script.prototype)]) freeze(each)
for (const [holder, key] of [
  [Module, '_load'],
  [Module, '_resolveFilename'],
  [Module.prototype, 'require'],
])
  defineProperty(holder, key, { __proto__: null, value: holder[key], writable: false, configurable: false })

/** The helpers that esbuild's output calls (scripts/prepare/module-text.ts takes its own away). */
const helpers = {
  __proto__: null,
  export(target, all) {
    const names = getOwnPropertyNames(all)
    for (let i = 0; i < names.length; i++)
      defineProperty(target, names[i], { __proto__: null, get: all[names[i]], enumerable: true })
  },
  /** Without a prototype, as any namespace: who awaits it asks it for `then`, which others may have given to every object. */
  toCommonJS(module) {
    setPrototypeOf(module, null)
    return valued(module, '__esModule', true)
  },
  /** What was such a module has live bindings and takes no others: it is its own namespace. */
  toESM: (module) => (module?.__esModule ? module : copy(valued(create(null), 'default', module), module)),
  /** A dynamic import, without a call of `then` that others may have changed. */
  async import(load) {
    await undefined
    return load()
  },
  reExport(target, module, second) {
    copy(target, module, 'default')
    if (second !== target) copy(second, module, 'default')
  },
}

function valued(target, name, value) {
  defineProperty(target, name, { __proto__: null, value, enumerable: name === 'default' })
  return target
}

function copy(target, from, except) {
  if (from === null || (typeof from !== 'object' && typeof from !== 'function')) return target
  const names = getOwnPropertyNames(from)
  for (let i = 0; i < names.length; i++) {
    const name = names[i]
    if (name === except || hasOwn(target, name)) continue
    const of = getOwnPropertyDescriptor(from, name)
    defineProperty(target, name, { __proto__: null, get: () => from[name], enumerable: !of || of.enumerable })
  }
  return target
}

const opened = { __proto__: null }

/**
 * Runs a module of a program, and what it imports, unless that has run.
 * `onScript`: told each text that is compiled, where this is the first call for the program
 */
function run(program, file, onScript) {
  opened[program] ??= open(program, onScript)
  return opened[program](file)
}

function open(program, onScript) {
  const root = dirname(__dirname)
  const text = readFileSync(join(__dirname, `${program}.js`), 'latin1')
  const code = octets(join(__dirname, `${program}.code`))
  const numbers = { __proto__: null }
  const plans = JSON.parse(readFileSync(join(__dirname, `${program}.json`), 'latin1'))
  for (let i = 0; i < plans.length; i++) {
    const { file, at, length, links, codeAt, codeLength } = plans[i]
    numbers[file] = i
    plans[i] = {
      file: join(root, file),
      text: text.slice(at, at + length),
      code: code !== undefined && codeLength > 0 ? code.subarray(codeAt, codeAt + codeLength) : undefined,
      links: { __proto__: null, ...links },
      module: undefined,
    }
  }
  const load = (number) => {
    const plan = plans[number]
    if (plan.module !== undefined) return plan.module.exports
    const { file, links } = plan
    const url = pathToFileURL(file).href
    const meta = { url, filename: file, dirname: dirname(file), prepared: __dirname }
    let installed
    const others = () => (installed ??= createRequire(file))
    const require = (name) => (links[name] >= 0 ? load(links[name]) : others()(name))
    require.resolve = (name) => others().resolve(name)
    const script = new Script(plan.text, { __proto__: null, filename: url, cachedData: plan.code })
    onScript?.(number, script)
    const module = { exports: {} }
    plan.module = module
    const body = script.runInThisContext()
    apply(body, module.exports, [require, module.exports, module, meta, file, meta.dirname, helpers])
    if (module.exports?.__esModule) preventExtensions(module.exports)
    return module.exports
  }
  return (file) => load(numbers[file])
}

function octets(file) {
  try {
    return readFileSync(file)
  } catch {
    // Not made yet, or taken away: it is only faster with it.
    return undefined
  }
}

module.exports = { run }
