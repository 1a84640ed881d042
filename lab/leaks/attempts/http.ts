/** HTTP and what rides on it, by Node and by packages. */
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import type { Family } from '../attempt.ts'
import { until } from '../attempt.ts'

/** The reason is kept to itself by the event. */
function opened(socket: { onopen: unknown; onerror: unknown }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.onopen = (): void => resolve()
  socket.onerror = (): void => reject('an error event')
  return promise
}

export const web: Family = {
  'http.get': ({ v4 }) => until(http.get(`http://${v4}/`), 'response'),
  'https.request': ({ v4 }) => until(https.request(`https://${v4}/`).end(), 'response'),
  'http by an agent of its own': ({ v4 }) =>
    until(http.get({ host: v4, agent: new http.Agent({ keepAlive: true }) }), 'response'),
  'http over a connection of its own': ({ v4, port }) =>
    until(http.get({ createConnection: () => net.connect(port, v4) }), 'response'),
  'http2.connect': ({ v4 }) => until(http2.connect(`https://${v4}/`), 'connect'),
  'http2 without TLS': ({ v4 }) => until(http2.connect(`http://${v4}/`), 'connect'),
  fetch: ({ v4 }) => fetch(`https://${v4}/`),
  'fetch, by name': ({ name }) => fetch(`https://${name}/`),
  'fetch, IPv6': ({ v6 }) => fetch(`http://[${v6}]/`),
  WebSocket: ({ v4 }) => opened(new WebSocket(`ws://${v4}/`)),
  'undici.request': async ({ v4 }) => (await import('undici')).request(`http://${v4}/`),
  'an undici agent of its own': async ({ v4 }) => {
    const { Agent, fetch: undiciFetch } = await import('undici')
    await undiciFetch(`https://${v4}/`, { dispatcher: new Agent() })
  },
  'an undici agent for all': async ({ v4 }) => {
    const { Agent, getGlobalDispatcher, request, setGlobalDispatcher } = await import('undici')
    const before = getGlobalDispatcher()
    setGlobalDispatcher(new Agent())
    try {
      await request(`http://${v4}/`)
    } finally {
      setGlobalDispatcher(before)
    }
  },
  'an undici client': async ({ v4 }) => {
    const { Client } = await import('undici')
    await new Client(`http://${v4}`).request({ method: 'GET', path: '/' })
  },
  'a proxy of undici': async ({ v4, name }) => {
    const { ProxyAgent, request } = await import('undici')
    await request(`https://${name}/`, { dispatcher: new ProxyAgent(`http://${v4}:3128`) })
  },
  'EventSource of undici': async ({ v4 }) => {
    const { EventSource } = await import('undici')
    const source = new EventSource(`http://${v4}/`)
    await opened(source).finally(() => source.close())
  },
  'WebSocket of undici': async ({ v4 }) => {
    const { WebSocket: Own } = await import('undici')
    await opened(new Own(`wss://${v4}/`))
  },
  'WebSocket of ws': async ({ v4 }) => until(new (await import('ws')).default(`ws://${v4}/`), 'open'),
}
