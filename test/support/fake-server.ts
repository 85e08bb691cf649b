/**
 * @module A program that serves the fake engine until a signal, as `espalier serve` does. Prints its address, and "closed"
 * at the end.
 */
import { serveHttp } from "../../src/entry/http-server.ts"
import { untilSignal } from "../../src/entry/shutdown.ts"
import { createFakeApp } from "./fake-app.ts"

const app = await createFakeApp({ beforeAppend: () => new Promise((resolve) => setTimeout(resolve, 2)) })
const server = await serveHttp(app.fetch, { port: 0, authenticated: false })
console.log(server.url)
await untilSignal(
  async () => {
    await server.close()
    await app.engine.close()
  },
  (name) => console.log(name),
)
console.log("closed")
