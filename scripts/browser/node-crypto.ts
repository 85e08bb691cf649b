/**
 * @module `node:crypto` in a page, as far as Espalier's core uses it there: sha256 over pieces, at once. Web Crypto's takes whole
 * contents, and a promise.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"

/** A hash that grows. */
interface Hash {
  update(data: string | Uint8Array): Hash
  digest(encoding: "hex"): string
}

/** @throws {TypeError} For another algorithm than sha256. */
export function createHash(algorithm: string): Hash {
  if (algorithm !== "sha256") throw new TypeError(`Expected sha256 but found ${algorithm}`)
  const hash = sha256.create()
  const self: Hash = {
    update(data) {
      hash.update(typeof data === "string" ? utf8ToBytes(data) : data)
      return self
    },
    digest: () => bytesToHex(hash.digest()),
  }
  return self
}
