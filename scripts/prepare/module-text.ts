/** One module as the body of a function: what it is in ECMAScript, turned into what `loader.cjs` calls. */
import { extname } from 'node:path'
import type { Loader } from 'esbuild'
import { transform } from 'esbuild'

/** As Node takes types away: imports stay unless they say `type`. */
export const TSCONFIG = { compilerOptions: { verbatimModuleSyntax: true } } as const

const loaders: Readonly<Record<string, Loader>> = { '.ts': 'ts', '.json': 'json' }
const meta = ['url', 'dirname', 'filename', 'prepared'].map(
  (name) => [`import.meta.${name}`, `__meta.${name}`] as const,
)

/** Parameters of every module's function, in the order of loader.cjs; the helpers by the names that esbuild gives them. */
const PARAMETERS = 'require, exports, module, __meta, __filename, __dirname, __helpers'
const NAMES = 'export: __export, toCommonJS: __toCommonJS, toESM: __toESM, reExport: __reExport, import: __import'

/** Those that esbuild writes out; all that the code calls are the loader's. */
const ownHelper =
  /^var __(create|defProp|getOwnPropDesc|getOwnPropNames|getProtoOf|hasOwnProp|export|copyProps|reExport|toESM|toCommonJS) = [\s\S]*?;\n(?=[^\s}])/

/** What esbuild makes of a dynamic import. */
const dynamicImport = /\bPromise\.resolve\(\)\.then\(\(\) => (__toESM\(require\("[^"\n]*"\)\))\)/g

/** Those that esbuild has for syntax which Node lacks, of which there is none. */
const otherHelper =
  /^var (__(pow|spread\w+|objRest|publicField|private\w+|async|await|yieldStar|forAwait|using|callDispose|decorat\w+|name|template|require|glob)) = /m

/**
 * `file`: its name alone is looked at. `isModule`: ECMAScript's, which is strict.
 * @throws Error where the module has something that a function cannot have, such as `await` outside one
 */
export async function moduleText(file: string, source: string, isModule: boolean): Promise<string> {
  const { code, warnings } = await transform(source, {
    ...{ loader: loaders[extname(file)] ?? 'js', format: 'cjs', platform: 'node', target: 'node26', charset: 'ascii' },
    ...{ supported: { 'dynamic-import': false }, define: Object.fromEntries(meta), tsconfigRaw: TSCONFIG },
    ...{ sourcefile: file, logLevel: 'silent' },
  })
  if (warnings.some(({ id }) => id === 'empty-import-meta')) throw new Error(`${file}: what is read of import.meta?`)
  const body = inAscii(isModule ? withoutHelpers(code) : code, file)
  const names = isModule ? `const { ${NAMES} } = __helpers;` : ''
  return `(function (${PARAMETERS}) {${isModule ? '"use strict";' : ''}${names}${body}\n})`
}

function withoutHelpers(code: string): string {
  let rest = code
  while (ownHelper.test(rest)) rest = rest.replace(ownHelper, '')
  const unknown = otherHelper.exec(rest)
  if (unknown !== null) throw new Error(`esbuild calls ${unknown[1]}, which the loader does not have`)
  return rest.replaceAll(dynamicImport, '__import(() => $1)')
}

/** esbuild leaves other characters in comments alone. The loader reads one octet for each. */
function inAscii(code: string, file: string): string {
  const lines = code.split('\n').map((line) => {
    const at = line.search(/[^\0-\x7f]/)
    if (at >= 0 && !/\/\/|\/\*|^\s*\*/.test(line.slice(0, at)))
      throw new Error(`${file}: a character that is left: ${line}`)
    return line.replace(/[^\0-\x7f]/g, '?')
  })
  return lines.join('\n')
}
