/**
 * @module The engine's WebAssembly as a module, for bundles whose platform compiles it when they are deployed. Only such a
 * bundle may import this: `scripts/build-worker.ts`.
 */
export { default as engineModule } from "onnxruntime-web/ort-wasm-simd-threaded.wasm"
