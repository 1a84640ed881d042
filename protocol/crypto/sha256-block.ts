/** The compression function of SHA-256 (FIPS 180-4 section 6.2.2). For everything but strangers' tokens: hash.ts. */

/** First 32 bits of the fractions of the cube roots of the first 64 primes (section 4.2.2). */
const K = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
])

/** Where hashing begins (section 5.3.3). */
export const INITIAL: Int32Array = new Int32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
])

/** The state after one block. `block`: 16 words, lost afterwards. `after` may be `before`. */
export function compress(before: Int32Array, block: Int32Array, after: Int32Array): void {
  let [a, b, c, d] = [before[0]!, before[1]!, before[2]!, before[3]!]
  let [e, f, g, h] = [before[4]!, before[5]!, before[6]!, before[7]!]
  for (let i = 0; i < 64; i++) {
    let word = block[i & 15]!
    if (i >= 16) {
      const early = block[(i + 1) & 15]!
      const late = block[(i + 14) & 15]!
      const sigma0 = ((early >>> 7) | (early << 25)) ^ ((early >>> 18) | (early << 14)) ^ (early >>> 3)
      const sigma1 = ((late >>> 17) | (late << 15)) ^ ((late >>> 19) | (late << 13)) ^ (late >>> 10)
      word = (word + sigma0 + block[(i + 9) & 15]! + sigma1) | 0
      block[i & 15] = word
    }
    const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const one = (h + sum1 + ((e & f) ^ (~e & g)) + K[i]! + word) | 0
    const two = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + one) | 0
    d = c
    c = b
    b = a
    a = (one + two) | 0
  }
  after[0] = before[0]! + a
  after[1] = before[1]! + b
  after[2] = before[2]! + c
  after[3] = before[3]! + d
  after[4] = before[4]! + e
  after[5] = before[5]! + f
  after[6] = before[6]! + g
  after[7] = before[7]! + h
}
