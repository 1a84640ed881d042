/** A crowd of strangers: requests as fast as they are answered. Commands {port, requests, kind} by lines of JSON. */
import { createInterface } from 'node:readline'
import type { Dispatcher } from 'undici'
import { Pool } from 'undici'

const CONNECTIONS = 16
const pages = ['/', '/about.html', '/style.css', '/favicon.ico', '/robots.txt', '/missing']
const probe = JSON.stringify({ conversation: 'c-1', cursor: 'AAAAAAAAAAAAAAAAAAAAAA', text: 'hello there' })

function requestOf(kind: 'site' | 'template', i: number): Dispatcher.RequestOptions {
  if (kind === 'site') return { path: pages[i % pages.length]!, method: 'GET' }
  const headers = { 'content-type': 'application/json' }
  return { path: `/api/support/v1/conversations/messages?t=${i.toString(36)}`, method: 'POST', headers, body: probe }
}

const pools = new Map<number, Pool>()
for await (const line of createInterface({ input: process.stdin })) {
  const { port, requests, kind } = JSON.parse(line) as { port: number; requests: number; kind: 'site' | 'template' }
  const pool = pools.get(port) ?? new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS, pipelining: 1 })
  pools.set(port, pool)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < requests) await (await pool.request(requestOf(kind, next++))).body.dump()
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  console.log(JSON.stringify({ perSecond: (requests * 1000) / (performance.now() - began) }))
}
