/**
 * @module What `npm run train` starts: `espalier train`, whose defaults are the embedded base and the bundled example.
 */
import { main } from "../src/cli/main.ts"

process.exitCode = await main(["train", ...process.argv.slice(2)])
