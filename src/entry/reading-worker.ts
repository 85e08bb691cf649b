/**
 * @module The Worker that reads adapters, so that those who stream don't wait for it.
 */
import { hostReader } from "../presets/reading-thread.ts"

hostReader()
