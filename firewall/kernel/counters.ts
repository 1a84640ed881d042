/**
 * How often the kernel had no way for what a bound process wanted to send: a network namespace without a network counts it.
 * Anybody of the same user can read it of another process.
 */
import { readFileSync } from 'node:fs'

/** Since the namespace was made; undefined where the process is gone. */
export function refusedByKernel(pid: number): number | undefined {
  try {
    const four = readFileSync(`/proc/${pid}/net/snmp`, 'utf8')
    const six = readFileSync(`/proc/${pid}/net/snmp6`, 'utf8')
    return noRoutes(four) + Number(/^Ip6OutNoRoutes\s+(\d+)/m.exec(six)?.[1] ?? 0)
  } catch {
    return undefined
  }
}

/** Two lines that begin with `Ip:`, names and numbers. */
function noRoutes(text: string): number {
  const [names, numbers] = text.split('\n').filter((line) => line.startsWith('Ip:'))
  const at = names?.split(' ').indexOf('OutNoRoutes') ?? -1
  return at < 0 ? 0 : Number(numbers?.split(' ')[at] ?? 0)
}
