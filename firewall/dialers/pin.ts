/** Is it the one certificate that was named? */
import type { TLSSocket } from 'node:tls'
import { constantTimeEqual } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'

/**
 * True where nothing is pinned: then OpenSSL has judged. A resumed session shows no certificate: it proves the one that the
 * full handshake showed, and only tickets of connections that passed here are kept.
 */
export function isPinned(socket: TLSSocket, pin: Uint8Array | undefined): boolean {
  if (pin === undefined || socket.isSessionReused()) return true
  const certificate = socket.getPeerX509Certificate()
  return certificate !== undefined && constantTimeEqual(sha256(new Uint8Array(certificate.raw)), pin)
}
