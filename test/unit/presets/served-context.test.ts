import { expect, test } from "bun:test"
import { main } from "../../../src/cli/main.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { checkContext } from "../../../src/presets/served-context.ts"

test("a context that holds no question, or more than the base has, is refused with its bounds and why", async () => {
  const { base, tokenizer } = await openBase("models/sprig")
  const refusal = (asked: number): string => {
    try {
      checkContext(asked, base, tokenizer!)
    } catch (error) {
      return (error as Error).message
    }
    return "none"
  }
  const [least, most] = /of (\d+) to (\d+) tokens/.exec(refusal(3))!.slice(1).map(Number) as [number, number]
  expect(most).toBe(base.config.contextLength)
  expect(refusal(3)).toBe(
    `Expected a context of ${least} to ${most} tokens but found 3: a question of one token takes ${least - 1} by the base's chat template, and an answer at least one more`,
  )
  expect(refusal(least - 1)).toContain(`found ${least - 1}`)
  expect(refusal(most + 1)).toContain('base "sprig" holds no more')
  expect(refusal(least + 0.5)).toContain("found")
  expect([least, most].map(refusal)).toEqual(["none", "none"])

  const plain = { ...tokenizer!, hasChatTemplate: false }
  expect(() => checkContext(1, base, plain)).toThrow("Expected a context of 2 to")
  expect(() => checkContext(2, base, plain)).not.toThrow()
})

test("espalier generate, chat, eval and serve say so before they compute", async () => {
  const written: string[] = []
  const io = {
    out: (text: string) => void written.push(text),
    err: (text: string) => void written.push(text),
    isTerminal: false,
    columns: () => 80,
    env: {},
  }
  for (const args of [
    ["generate", "Hello"],
    ["eval", "--limit", "1"],
    ["serve", "--port", "0", "--store", "off"],
  ]) {
    written.length = 0
    expect(await main([...args, "--context", "3", "--threads", "1"], io)).toBe(2)
    expect(written.join("")).toContain("Expected a context of")
  }
})
