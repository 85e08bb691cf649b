/**
 * @module `npm run serve:browser [port]`: the example page that `npm run build:browser` made, on loopback.
 */
import process from "node:process"
import { fileURLToPath } from "node:url"
import { serveFolder } from "./static-server.ts"

const folder = fileURLToPath(new URL("../dist/browser", import.meta.url))
try {
  const { url } = await serveFolder(folder, Number(process.argv[2] ?? 8080))
  console.log(`The page is at ${url}/`)
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\nWas it built? npm run build:browser`)
  process.exitCode = 1
}
