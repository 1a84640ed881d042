/** Streams, by Node's own modules. */
import net from 'node:net'
import tls from 'node:tls'
import type { Family } from '../attempt.ts'
import { until } from '../attempt.ts'

const loose = net as unknown as Record<string, (...args: unknown[]) => unknown>

export const sockets: Family = {
  'net.connect, IPv4': ({ v4, port }) => until(net.connect(port, v4), 'connect'),
  'net.connect, IPv6': ({ v6, port }) => until(net.connect(port, v6), 'connect'),
  'net.connect, by name': ({ name, port }) => until(net.connect(port, name), 'connect'),
  'net.connect, from a port of its choice': ({ v4, port }) =>
    until(net.connect({ host: v4, port, localPort: 20_000 + Math.floor(Math.random() * 1000) }), 'connect'),
  'net.Socket': ({ v4, port }) => until(new net.Socket().connect(port, v4), 'connect'),
  'a subclass of net.Socket': ({ v4, port }) => until(new (class extends net.Socket {})().connect(port, v4), 'connect'),
  'net.Socket.prototype.connect': ({ v4, port }) =>
    until(Reflect.apply(net.Socket.prototype.connect, new net.Socket(), [port, v4]), 'connect'),
  'TCP to port 53': ({ v4 }) => until(net.connect(53, v4), 'connect'),
  'tls.connect': ({ v4, port }) => until(tls.connect({ host: v4, port }), 'secureConnect'),
  'tls.connect, with a name for SNI': ({ v6, port, name }) =>
    until(tls.connect({ host: v6, port, servername: name }), 'secureConnect'),
  'a socket of the system (D-Bus)': () => until(net.connect('/run/dbus/system_bus_socket'), 'connect'),
  'an abstract socket': () => until(net.connect('\0/tmp/.X11-unix/X0'), 'connect'),
  'net._createServerHandle': ({ port }) => {
    if (typeof loose._createServerHandle!('0.0.0.0', port + 1, 4) === 'number') throw new Error('no handle')
    throw new Error('bound, and heard by nobody')
  },
}
