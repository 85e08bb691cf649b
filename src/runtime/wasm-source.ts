/**
 * @module What `WebAssembly.instantiate` is called with, for those who stand in its place.
 */

/** Both forms of `WebAssembly.instantiate`. */
export type Instantiate = (
  source: WebAssembly.Module | BufferSource,
  imports?: WebAssembly.Imports,
) => Promise<WebAssembly.Instance | WebAssembly.WebAssemblyInstantiatedSource>

/** The bytes of a module that is yet to be compiled, whichever view of them is given; null for one that is compiled. */
export function bytesOfSource(source: WebAssembly.Module | BufferSource): Uint8Array | null {
  if (source instanceof WebAssembly.Module) return null
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source)
}
