/**
 * @module The smoke scenario on Deno: `deno run --allow-all test/runtimes/deno/smoke.ts`.
 */
import process from "node:process"
import { smoke } from "../smoke.ts"

await smoke((line) => console.log(line))
process.exit(0)
