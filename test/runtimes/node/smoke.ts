/**
 * @module The smoke scenario on Node, from 22.18 on, which runs TypeScript as it is: `node test/runtimes/node/smoke.ts`.
 */
import process from "node:process"
import { smoke } from "../smoke.ts"

await smoke((line) => console.log(line))
process.exit(0)
