/**
 * Keys of a session between two key agreements. Spec section 4.3.
 *
 *     root 0     = from the Noise handshake                           (classical; carries key agreement only)
 *     root i+1   = HKDF(ikm = ML-KEM secret || Noise secret, salt = root i, info = "sotto/1/next" || H(offer || answer))
 *     keys       = HKDF-Expand(root, ...): request, answer, recognition
 */

import { concat, empty, utf8, wipe } from '../bytes.ts'
import { KEY_LENGTH } from '../constants.ts'
import type { Aead } from '../crypto/aead.ts'
import { hkdfSha256, sha256 } from '../crypto/hash.ts'
import { openParcel, sealParcel } from '../parcel.ts'
import { sessionToken } from '../recognition.ts'

export class Epoch {
  readonly index: number
  private readonly aead: Aead
  /** root || request || answer || recognition: in one piece, because an array costs a quarter of a KiB beside its octets. */
  private readonly keys: Uint8Array
  private gone = false

  /** Takes `root` over and wipes it. */
  constructor(index: number, aead: Aead, root: Uint8Array) {
    const key = (label: string): Uint8Array => hkdfSha256(root, empty, utf8(`sotto/1/epoch/${label}`), 32)
    this.index = index
    this.aead = aead
    this.keys = concat(root, key('request'), key('answer'), key('recognition'))
    wipe(root)
  }

  private get root(): Uint8Array {
    return this.keys.subarray(0, KEY_LENGTH)
  }

  private get request(): Uint8Array {
    return this.keys.subarray(KEY_LENGTH, 2 * KEY_LENGTH)
  }

  private get answer(): Uint8Array {
    return this.keys.subarray(2 * KEY_LENGTH, 3 * KEY_LENGTH)
  }

  private get recognition(): Uint8Array {
    return this.keys.subarray(3 * KEY_LENGTH)
  }

  /** Keys of zeros are everybody's: nothing may be sealed or accepted under what was wiped. */
  private requireKeys(): void {
    if (this.gone) throw new Error('the keys of this epoch were wiped')
  }

  token(number: number): Uint8Array {
    this.requireKeys()
    return sessionToken(this.recognition, number)
  }

  sealRequest(number: number, associated: Uint8Array, body: Uint8Array): Uint8Array {
    this.requireKeys()
    return sealParcel(this.aead, this.request, number, associated, body)
  }

  openRequest(number: number, associated: Uint8Array, parcel: Uint8Array): Uint8Array | undefined {
    return this.gone ? undefined : openParcel(this.aead, this.request, number, associated, parcel)
  }

  sealAnswer(number: number, associated: Uint8Array, body: Uint8Array): Uint8Array {
    this.requireKeys()
    return sealParcel(this.aead, this.answer, number, associated, body)
  }

  openAnswer(number: number, associated: Uint8Array, parcel: Uint8Array): Uint8Array | undefined {
    return this.gone ? undefined : openParcel(this.aead, this.answer, number, associated, parcel)
  }

  /** Keys after a completed agreement. `secrets` are wiped. */
  next(kemSecret: Uint8Array, noiseSecret: Uint8Array, offer: Uint8Array, answer: Uint8Array): Epoch {
    this.requireKeys()
    const secrets = concat(kemSecret, noiseSecret)
    const info = concat(utf8('sotto/1/next'), sha256(offer, answer))
    const root = hkdfSha256(secrets, this.root, info, 32)
    wipe(secrets, kemSecret, noiseSecret)
    return new Epoch(this.index + 1, this.aead, root)
  }

  /** From now on nothing of this epoch is opened, and sealing under it is an error. */
  wipe(): void {
    this.gone = true
    wipe(this.keys)
  }
}

/** Public value that both ends derive from root 0: prologue of every rekey, so that it fits no other session. */
export function sessionTranscript(root: Uint8Array): Uint8Array {
  // Copied, because what OpenSSL returns has memory of its own; a short copy lies with its object (250 octets less).
  return hkdfSha256(root, empty, utf8('sotto/1/transcript'), 32).slice()
}
