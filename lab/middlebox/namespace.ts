/** A network namespace for one member: a veth pair, rules of nftables at this machine's end, rate by tbf. Needs root. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

export interface Namespace {
  readonly name: string
  /** Of those this process has made. */
  readonly number: number
  /** This machine's end: where the gateway is, seen from inside; and the inside's. */
  readonly address: string
  readonly inside: string
  /** Replaces the rules. `IN` stands for octets from the member, `OUT` for those to it. */
  rules(nft: readonly string[]): void
  close(): void
}

let made = 0
/** Those there are: they outlive the process unless they are removed. */
const open = new Set<() => void>()

/** Removes all namespaces that this process has made. */
export function closeNamespaces(): void {
  for (const close of [...open]) close()
}

const run = (command: string, ...args: readonly string[]): void => void execFileSync(command, args, { stdio: 'pipe' })

/** True where this process may make namespaces and the tools are there. */
export function canMakeNamespaces(): boolean {
  return process.getuid?.() === 0 && ['/usr/sbin/ip', '/usr/sbin/nft', '/usr/sbin/tc'].every((tool) => existsSync(tool))
}

export function makeNamespace(nft: readonly string[], rate: string | undefined): Namespace {
  const number = made++
  const name = `sotto-lab-${process.pid}-${number}`
  const outer = `sl${process.pid % 100_000}x${number}`
  const inner = `${outer}i`
  const net = `10.77.${number}`
  run('ip', 'netns', 'add', name)
  const table = `sotto_lab_${process.pid}_${number}`
  const close = (): void => {
    open.delete(close)
    for (const [command, ...args] of [
      ['nft', 'delete', 'table', 'inet', table],
      ['ip', 'link', 'del', outer],
      ['ip', 'netns', 'del', name],
    ]) {
      try {
        run(command!, ...args)
      } catch {
        // It is gone already, or was never made.
      }
    }
  }
  open.add(close)
  try {
    run('ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', name)
    run('ip', 'addr', 'add', `${net}.1/24`, 'dev', outer)
    run('ip', 'link', 'set', outer, 'up')
    run('ip', '-n', name, 'addr', 'add', `${net}.2/24`, 'dev', inner)
    run('ip', '-n', name, 'link', 'set', inner, 'up')
    run('ip', '-n', name, 'link', 'set', 'lo', 'up')
    // Both directions are as narrow.
    if (rate !== undefined) {
      const narrow = ['root', 'tbf', 'rate', rate, 'burst', '16kb', 'latency', '800ms']
      run('tc', 'qdisc', 'add', 'dev', outer, ...narrow)
      run('ip', 'netns', 'exec', name, 'tc', 'qdisc', 'add', 'dev', inner, ...narrow)
    }
    apply(table, outer, nft)
  } catch (error) {
    close()
    throw error
  }
  return { name, number, address: `${net}.1`, inside: `${net}.2`, rules: (next) => apply(table, outer, next), close }
}

function apply(table: string, device: string, rules: readonly string[]): void {
  const of = (mark: string, match: string): string =>
    rules
      .filter((rule) => rule.startsWith(mark))
      .map((rule) => `    ${match} "${device}" ${rule.slice(mark.length).trim()}`)
      .join('\n')
  const text = `table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain input {
    type filter hook input priority 0;
${of('IN', 'iifname')}
  }
  chain output {
    type filter hook output priority 0;
${of('OUT', 'oifname')}
  }
}
`
  execFileSync('nft', ['-f', '-'], { input: text, stdio: 'pipe' })
}
