/**
 * @module A Worker that hosts the fake engine. Its decoder computes as onnxruntime-node does: without letting go of the
 * thread. The settings say when it should fail.
 */
import { EspalierError } from "../../src/core/errors.ts"
import { hostEngine } from "../../src/presets/engine-thread.ts"
import { createFakeEngine } from "./fake-engine.ts"

hostEngine(async (settings) => {
  const { refuse, dieAt = 0 } = settings as { refuse?: boolean; dieAt?: number }
  if (refuse)
    throw new EspalierError("not_found", "There is no base folder", { hint: "Give another one", param: "base" })
  return createFakeEngine({
    beforeAppend(_added, { tokens }) {
      const until = performance.now() + 0.2
      while (performance.now() < until);
      if (dieAt > 0 && tokens.length >= dieAt) {
        setTimeout(() => {
          throw new Error("out of memory")
        }, 0)
      }
    },
  }).engine
})
