/**
 * Every Node 26 has the ciphers, hashes and curves; ML-KEM needs OpenSSL 3.5 and Argon2 needs 3.2, and a Node that is
 * linked against the system's library may find an older one.
 */

/** `native` where `probe`, a small real use of it, does not throw on this machine; else `portable`. */
export function nativeOr<T>(native: T, portable: T, probe: (native: T) => void): T {
  try {
    probe(native)
    return native
  } catch {
    return portable
  }
}
