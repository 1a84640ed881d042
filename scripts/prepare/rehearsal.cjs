'use strict'
/** Keeps V8's code of every module of a process that ends, with all functions that it has called: in a folder that it may write. */
const { writeFileSync } = require('node:fs')
const { join } = require('node:path')

const keepers = new Map()

/** @returns what `run` of loader.cjs tells of; one for a program */
function keeper(program) {
  if (!keepers.has(program)) keepers.set(program, newKeeper(program))
  return keepers.get(program)
}

function newKeeper(program) {
  const scripts = []
  process.once('exit', () => {
    const folder = process.env.SOTTO_CORE ?? process.argv.at(-1)
    const codes = scripts.map(([number, script]) => [number, script.createCachedData()])
    writeFileSync(join(folder, `${program}.code`), Buffer.concat(codes.map(([, code]) => code)))
    writeFileSync(
      join(folder, `${program}.lengths`),
      JSON.stringify(codes.map(([number, code]) => [number, code.length])),
    )
  })
  return (number, script) => scripts.push([number, script])
}

module.exports = { keeper }
