/** Below HTTP: versions, names, protocols, and records as no program sends them. */

import { duplexPair } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { connect } from 'node:tls'
import type { Probe, Step } from '../probe.ts'
import { octets } from '../probe.ts'

function handshake(name: string, options: ConnectionOptions): Probe {
  return { group: 'tls', name, action: { kind: 'tls', options } }
}

function tcp(name: string, ...steps: readonly (string | Step)[]): Probe {
  const done = steps.map((step) => (typeof step === 'string' && step !== 'end' ? octets(step) : (step as Step)))
  return { group: 'tls', name, action: { kind: 'tcp', steps: done } }
}

const old: ConnectionOptions = { ciphers: 'ALL:@SECLEVEL=0' }

const handshakes: readonly Probe[] = [
  ...(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const).map((version) =>
    handshake(version, { ...old, minVersion: version, maxVersion: version }),
  ),
  handshake('no name', { servername: '' }),
  handshake('other name', { servername: 'other.example' }),
  handshake('name of one label', { servername: 'a' }),
  handshake('no protocol', {}),
  handshake('HTTP/1.1', { ALPNProtocols: ['http/1.1'] }),
  handshake('HTTP/1.0', { ALPNProtocols: ['http/1.0'] }),
  handshake('unknown protocol', { ALPNProtocols: ['spdy/3', 'acme-tls/1'] }),
  handshake('unknown protocol, then HTTP/1.1', { ALPNProtocols: ['xyz', 'http/1.1'] }),
  handshake('HTTP/1.1 before HTTP/2', { ALPNProtocols: ['http/1.1', 'h2'] }),
  handshake('CBC only', { ciphers: 'ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0', maxVersion: 'TLSv1.2' }),
  handshake('RSA key exchange only', { ciphers: 'AES128-SHA:@SECLEVEL=0', maxVersion: 'TLSv1.2' }),
  handshake('ChaCha20 only', { ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' }),
  handshake('AES-128 only, TLS 1.3', { ciphers: 'TLS_AES_128_GCM_SHA256' }),
  handshake('P-521 only', { ecdhCurve: 'secp521r1' }),
  handshake('X25519 only', { ecdhCurve: 'X25519' }),
  handshake('status wanted', { requestOCSP: true }),
]

/** The first flight of Node's own client. */
function clientHello(): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const [near, far] = duplexPair()
    far.once('data', (chunk: Buffer) => {
      far.destroy()
      resolve(new Uint8Array(chunk))
    })
    connect({ socket: near, servername: 'localhost', ALPNProtocols: ['http/1.1'] }).on('error', () => {})
  })
}

const changed = (bytes: Uint8Array, at: number, to: number): Uint8Array =>
  bytes.map((octet, i) => (i === at ? to : octet))

const record = (type: number, content: Uint8Array, version = [3, 3]): Uint8Array =>
  Uint8Array.of(type, ...version, content.length >> 8, content.length & 255, ...content)

export async function tlsProbes(): Promise<readonly Probe[]> {
  const hello = await clientHello()
  const message = hello.subarray(5)
  const pieces = Array.from({ length: 40 }, (_, i) => record(22, message.subarray(i * 40, (i + 1) * 40), [3, 1]))
  return [
    ...handshakes,
    tcp('hello, then silence', hello),
    tcp('hello in two parts', hello.subarray(0, 100), 80, hello.subarray(100)),
    tcp(
      'hello in many records',
      Uint8Array.from(pieces.filter(({ length }) => length > 5).flatMap((each) => [...each])),
    ),
    tcp('half a hello', hello.subarray(0, 60)),
    tcp('half a hello, then the end', hello.subarray(0, 60), 'end'),
    tcp('hello twice', hello, hello),
    tcp('record version 3.0', changed(hello, 2, 0)),
    tcp('record version 3.9', changed(hello, 2, 9)),
    tcp('record version 2.0', changed(hello, 1, 2)),
    tcp('record too large', changed(hello, 3, 0x48)),
    tcp('hello version 3.0', changed(hello, 10, 0)),
    tcp('hello of another length', changed(hello, 8, 1)),
    tcp('session id too long', changed(hello, 43, 33)),
    tcp('message that is no hello', changed(hello, 5, 20)),
    tcp('application data first', record(23, octets('GET / HTTP/1.1\r\n\r\n'))),
    tcp('change of cipher first', record(20, Uint8Array.of(1))),
    tcp('empty records first', ...Array<Uint8Array>(5).fill(record(22, new Uint8Array(0), [3, 1])), hello),
    tcp('alert first', record(21, Uint8Array.of(1, 0))),
    tcp('fatal alert after the hello', hello, 60, record(21, Uint8Array.of(2, 40))),
    tcp('warning after the hello', hello, 60, record(21, Uint8Array.of(1, 90))),
    tcp('changes of cipher after the hello', hello, 60, ...Array<Uint8Array>(16).fill(record(20, Uint8Array.of(1)))),
    tcp('more changes of cipher', hello, 60, ...Array<Uint8Array>(40).fill(record(20, Uint8Array.of(1)))),
    tcp('garbage after the hello', hello, 60, record(23, new Uint8Array(64))),
    tcp('heartbeat', record(24, Uint8Array.of(1, 64, 0))),
    tcp('hello of SSL 2', '\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80'),
    tcp('HTTP without TLS', 'GET /api/features/desktop.json HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    tcp('HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    tcp('SSH', 'SSH-2.0-OpenSSH_9.2\r\n'),
    tcp('SOCKS', '\x05\x01\x00'),
    tcp('mail', 'EHLO localhost\r\n'),
    tcp('zeros', new Uint8Array(64)),
    tcp('ones', new Uint8Array(64).fill(255)),
    tcp('one octet', Uint8Array.of(22)),
    tcp('nothing, then the end', 'end'),
  ]
}
