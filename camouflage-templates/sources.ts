/**
 * Where a member's program has the built-in templates from. In a prepared program (scripts/prepare.ts) another module stands in its
 * place, which has what the same files hold: most of the work at every start is reading YAML.
 */
export { builtinSources } from './builtin.ts'
