/** Datagrams, and what would ride on them. */
import dgram from 'node:dgram'
import type { Family } from '../attempt.ts'

type Kind = 'udp4' | 'udp6'

function sent(kind: Kind, content: Uint8Array, port: number, address: string, before?: (s: dgram.Socket) => void) {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = dgram.createSocket(kind)
  socket.once('error', reject)
  socket.bind(0, () => {
    try {
      before?.(socket)
      socket.send(content, port, address, (error) => (error === null ? resolve() : reject(error)))
    } catch (error) {
      reject(error)
    }
  })
  return promise.finally(() => {
    try {
      socket.close()
    } catch {
      // It was never open.
    }
  })
}

const text = Buffer.from('leak')

export const datagrams: Family = {
  'UDP, IPv4': ({ v4 }) => sent('udp4', text, 9, v4),
  'UDP, IPv6': ({ v6 }) => sent('udp6', text, 9, v6),
  'UDP, connected': ({ v4 }) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket = dgram.createSocket('udp4')
    socket.once('error', reject)
    socket.connect(9, v4, () => {
      socket.send(text, (error) => (error === null ? resolve() : reject(error)))
    })
    return promise
  },
  'a broadcast': () => sent('udp4', text, 9, '255.255.255.255', (socket) => socket.setBroadcast(true)),
  'multicast, IPv4 (mDNS)': () => sent('udp4', text, 5353, '224.0.0.251'),
  'multicast, IPv6 (mDNS)': () => sent('udp6', text, 5353, 'ff02::fb%wire'),
  'a question of the DNS by hand': ({ v4 }) =>
    sent('udp4', Buffer.from('123401000001000000000000046c65616b076578616d706c6500000100010', 'hex'), 53, v4),
  'the beginning of QUIC by hand': ({ v4 }) =>
    sent('udp4', Buffer.concat([Buffer.from('c300000001088394c8f03e51570800', 'hex'), Buffer.alloc(1_185)]), 443, v4),
  'node:quic (HTTP/3)': () => import(['node', 'quic'].join(':')),
  'WebRTC of the runtime': () => Reflect.construct(Reflect.get(globalThis, 'RTCPeerConnection'), []),
  'WebTransport of the runtime': ({ v4 }) =>
    Reflect.construct(Reflect.get(globalThis, 'WebTransport'), [`https://${v4}/`]),
}
