/**
 * Below JavaScript's methods: objects of Node's own that a permitted connection shows, and others made by their constructors.
 * What closes the roads inside a process does not see them.
 */
import { createHook } from 'node:async_hooks'
import dns from 'node:dns'
import type { Family } from '../attempt.ts'

type Handle = Record<string, (...args: unknown[]) => unknown>
type Maker = new (...args: unknown[]) => Handle

/** Constructors of what async_hooks has seen being made, by type. */
const seen = new Map<string, Maker>()
const hook = createHook({
  init: (_id, type, _trigger, resource) => {
    seen.set(type, (resource as { constructor: Maker }).constructor)
  },
})

/** To be called before the permitted connections are made. */
export function watchHandles(): void {
  hook.enable()
}

function maker(type: string): Maker {
  const found = seen.get(type)
  if (found === undefined) throw Object.assign(new Error(`no ${type} was seen`), { code: 'NOTHING_SEEN' })
  return found
}

/** Node answers 0, a negative number of the system, or an error as a value. */
function accepted(result: unknown): void {
  if (result instanceof Error) throw result
  if (typeof result === 'number' && result < 0) throw Object.assign(new Error('refused'), { code: `ERRNO_${-result}` })
}

/** Waits for the end of a request on a raw handle. */
async function completed(request: Handle, begin: () => unknown): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<number>()
  request.oncomplete = (status: unknown) =>
    resolve(typeof status === 'number' ? status : status instanceof Error ? -1 : 0)
  accepted(begin())
  accepted(await promise)
}

/** Under Node's permissions none was ever made, since Node refused before one was needed: any object will do to ask again. */
const request = (type: string): Handle =>
  process.permission !== undefined && !seen.has(type) ? ({} as Handle) : new (maker(type))()
const connectRequest = (): Handle => request('TCPCONNECTWRAP')

export const handles: Family = {
  'a TCP handle by async_hooks': ({ v4, port }) => {
    const [handle, asked] = [new (maker('TCPWRAP'))(0), connectRequest()]
    return completed(asked, () => handle.connect!(asked, v4, port))
  },
  'a TCP handle by async_hooks, IPv6': ({ v6, port }) => {
    const [handle, asked] = [new (maker('TCPWRAP'))(0), connectRequest()]
    return completed(asked, () => handle.connect6!(asked, v6, port))
  },
  'a TCP handle of a socket that is open': ({ v4, port }) => {
    const sockets = (process as unknown as { _getActiveHandles(): { _handle?: Handle }[] })._getActiveHandles()
    // TLS keeps what is below it.
    const all = sockets.flatMap(({ _handle }) => [_handle, _handle?._parent as unknown as Handle | undefined])
    const open = all.find((handle) => handle?.constructor.name === 'TCP')
    if (open === undefined) throw Object.assign(new Error('no TCP socket is open'), { code: 'NOTHING_SEEN' })
    const [handle, asked] = [new (open.constructor as unknown as Maker)(0), connectRequest()]
    return completed(asked, () => handle.connect!(asked, v4, port))
  },
  'the pipe of the terminal, to a socket of the system': () => {
    const [handle, asked] = [new (maker('PIPEWRAP'))(0), request('PIPECONNECTWRAP')]
    return completed(asked, () => handle.connect!(asked, '/run/dbus/system_bus_socket'))
  },
  'the resolver’s channel': async ({ name, v4 }) => {
    const resolver = new dns.Resolver({ timeout: 300, tries: 1 }) as unknown as { _handle: Handle }
    const request = new (maker('QUERYWRAP'))()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const end = (error: unknown): void => {
      const { code } = (error ?? {}) as { code?: string }
      if (error === 'ETIMEOUT' || code === 'ETIMEOUT' || error === null || error === 0) resolve()
      else reject(code ?? error)
    }
    Object.assign(request, { oncomplete: end, callback: end, resolver, hostname: name, bindingName: 'queryA' })
    accepted(resolver._handle.setServers!([[4, v4, 53]]))
    accepted(resolver._handle.queryA!(request, name))
    await promise
  },
  'the system’s resolver by its request': async ({ name }) => {
    const asked = request('GETADDRINFOREQWRAP')
    // There is no handle to give it to without a binding: asking for one is the attempt.
    const binding = (process as unknown as { binding(name: string): Handle }).binding('cares_wrap')
    await completed(asked, () => binding.getaddrinfo!(asked, name, 0, 0, 0))
  },
}
