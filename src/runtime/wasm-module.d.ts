/** A `.wasm` file that the bundler leaves to the platform, which compiles it when the script is deployed. */
declare module "*.wasm" {
  const compiled: WebAssembly.Module

  // biome-ignore lint/style/noDefaultExport: that is how bundlers and platforms hand the module over
  export { compiled as default }
}
