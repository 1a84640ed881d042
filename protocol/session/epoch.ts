/**
 * Keys of a session between two key agreements. Spec section 4.3.
 *
 *     root 0     = from the Noise handshake                           (classical; carries key agreement only)
 *     root i+1   = HKDF(ikm = ML-KEM secret || Noise secret, salt = root i, info = "sotto/1/next" || H(offer || answer))
 *     keys       = HKDF-Expand(root, ...): request, answer, recognition
 */

import { concat, empty, utf8, wipe } from '../bytes.ts'
import type { Aead } from '../crypto/aead.ts'
import { hkdfSha256, sha256 } from '../crypto/hash.ts'
import { openParcel, sealParcel } from '../parcel.ts'
import { sessionToken } from '../recognition.ts'

export class Epoch {
  readonly index: number
  private readonly aead: Aead
  private readonly root: Uint8Array
  private readonly request: Uint8Array
  private readonly answer: Uint8Array
  private readonly recognition: Uint8Array

  constructor(index: number, aead: Aead, root: Uint8Array) {
    const key = (label: string): Uint8Array => hkdfSha256(root, empty, utf8(`sotto/1/epoch/${label}`), 32)
    this.index = index
    this.aead = aead
    this.root = root
    this.request = key('request')
    this.answer = key('answer')
    this.recognition = key('recognition')
  }

  token(number: number): Uint8Array {
    return sessionToken(this.recognition, number)
  }

  sealRequest(number: number, token: Uint8Array, body: Uint8Array): Uint8Array {
    return sealParcel(this.aead, this.request, number, token, body)
  }

  openRequest(number: number, token: Uint8Array, parcel: Uint8Array): Uint8Array | undefined {
    return openParcel(this.aead, this.request, number, token, parcel)
  }

  sealAnswer(number: number, token: Uint8Array, body: Uint8Array): Uint8Array {
    return sealParcel(this.aead, this.answer, number, token, body)
  }

  openAnswer(number: number, token: Uint8Array, parcel: Uint8Array): Uint8Array | undefined {
    return openParcel(this.aead, this.answer, number, token, parcel)
  }

  /** Keys after a completed agreement. `secrets` are wiped. */
  next(kemSecret: Uint8Array, noiseSecret: Uint8Array, offer: Uint8Array, answer: Uint8Array): Epoch {
    const secrets = concat(kemSecret, noiseSecret)
    const info = concat(utf8('sotto/1/next'), sha256(offer, answer))
    const root = hkdfSha256(secrets, this.root, info, 32)
    wipe(secrets, kemSecret, noiseSecret)
    return new Epoch(this.index + 1, this.aead, root)
  }

  /** After the overlap nothing of this epoch can be opened any more. */
  wipe(): void {
    wipe(this.root, this.request, this.answer, this.recognition)
  }
}

/** Public value that both ends derive from root 0: prologue of every rekey, so that it fits no other session. */
export function sessionTranscript(root: Uint8Array): Uint8Array {
  return hkdfSha256(root, empty, utf8('sotto/1/transcript'), 32)
}
