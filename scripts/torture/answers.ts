/**
 * @module The part about whose answer one gets: adapters swapped under load, and mixed batches.
 */
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { hotSwap } from "./hot-swap.ts"
import { invariance } from "./invariance.ts"
import { type Part, scaled } from "./part.ts"

export const answers: Part = {
  name: "answers",
  summary: "10,000 requests over 1,000 swaps, and 1,000 prompts alone and in mixed batches",
  async run(settings) {
    const { base, tokenizer } = await openBase(settings.base)
    if (!tokenizer) throw new TypeError(`Base ${settings.base} has no tokenizer`)
    const { runtime } = await openRuntime(settings.backend)
    const { seed } = settings
    const swapped = await hotSwap({
      ...{ base, runtime, tokenizer, seed, clients: 32 },
      requests: scaled(10_000, settings),
      swaps: scaled(1000, settings),
    })
    const alike = await invariance({ base, runtime, prompts: scaled(1000, settings), seed })
    await runtime.dispose()
    return {
      figures: { backend: runtime.detail, swapped, alike },
      lines: [
        `${runtime.name} (${runtime.detail})`,
        "",
        "| what | tried | as alone, token by token | rounding between equals | wrong |",
        "|---|---|---|---|---|",
        `| answers under ${swapped.swaps} swaps, of the version that each names | ${swapped.answered} | ${swapped.equal} | ${swapped.ties} | ${swapped.wrong} |`,
        `| greedy answers in mixed batches of 2 to 8 | ${alike.prompts} | ${alike.equal} | ${alike.ties} | ${alike.wrong} |`,
        "",
        `${swapped.notFound} requests found their name gone; ${swapped.reloads} times a version that had given way was read again for one; ${swapped.cached} prompt tokens were found computed.`,
      ],
      wrong: swapped.wrong + alike.wrong,
    }
  },
}
