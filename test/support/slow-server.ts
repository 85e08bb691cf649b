/**
 * @module A program that serves an engine whose first token comes late, on whichever runtime runs it: `slow-server.ts <ms>`.
 * Prints its address, and ends when its input does: a runtime that a launcher has started is out of reach of signals to that.
 */
import process from "node:process"
import { createApp } from "../../routes/app.ts"
import { serveHttp } from "../../src/entry/http-server.ts"
import { createService } from "../../src/service/service.ts"
import { createFakeEngine, fakeRoot } from "./fake-engine.ts"

let computed: Promise<void> | null = null
/** From the first prompt on, so long, for all of them. */
const late = (): Promise<void> => {
  computed ??= new Promise((resolve) => setTimeout(resolve, Number(process.argv[2])))
  return computed
}
const { engine } = createFakeEngine({
  scheduler: { maxActive: 256 },
  beforeAppend: (added) => (added.length > 1 ? late() : undefined),
})
const app = createApp(createService({ engine, adapterRoot: { path: fakeRoot } }))
const server = await serveHttp((request) => app.fetch(request), { port: 0, authenticated: false })
console.log(server.url)
process.stdin.on("end", () => process.exit(0)).resume()
