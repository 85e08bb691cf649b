/**
 * @module A program that serves the fake engine until a signal, as `espalier serve` does. Prints its address, and "closed"
 * at the end. With `--step` it loads, and stops listening, when it is told to by a line on stdin.
 */
import { createGate } from "../../src/entry/gate.ts"
import { serveHttp } from "../../src/entry/http-server.ts"
import { untilSignal } from "../../src/entry/shutdown.ts"
import { createFakeApp } from "./fake-app.ts"

const told = async (): Promise<void> => {
  if (process.argv.includes("--step")) await new Promise((resolve) => process.stdin.once("data", resolve))
}
const gate = createGate()
const server = await serveHttp(gate.fetch, { port: 0, authenticated: false })
console.log(server.url)
await told()
const app = await createFakeApp({ beforeAppend: () => new Promise((resolve) => setTimeout(resolve, 2)) })
gate.open(app.fetch)
if (process.argv.includes("--step")) console.log("loaded")
await untilSignal(
  async () => {
    gate.retire()
    await told()
    await server.close()
    await app.engine.close()
  },
  (name) => console.log(name),
)
console.log("closed")
