import { expect, test } from "bun:test"
import { sourcesRunBy, typedAs, withTyped } from "../../../src/cli/io.ts"
import { nextSteps } from "../../../src/cli/train-text.ts"

const adapter = { ownBase: false, heldBack: false, env: {} }

test("nextSteps() names the command by itself where no script of package.json ran it", () => {
  expect(nextSteps("adapters-out/card", undefined, adapter)).toBe(
    "Try it:    espalier chat --adapter adapters-out/card\nServe it:  espalier serve --adapter card=adapters-out/card\n",
  )
})

test("nextSteps() names the scripts of a clone, and that what is held back takes --force", () => {
  const env = { npm_lifecycle_event: "train", npm_package_name: "espalier" }
  expect(nextSteps("adapters-out/card", "my/base", { ...adapter, heldBack: true, env })).toBe(
    "Try it:    npm run espalier -- chat --base my/base --adapter adapters-out/card\nServe it:  npm run serve -- --base my/base --adapter card=adapters-out/card --force\n",
  )
})

test("nextSteps() takes a base of its own for the base", () => {
  expect(nextSteps("out/full", "my/base", { ...adapter, ownBase: true })).toBe(
    "Try it:    espalier chat --base out/full\nServe it:  espalier serve --base out/full\n",
  )
})

test("typedAs() is what a user of a clone, and of the package, can type", () => {
  const clone = { npm_lifecycle_event: "espalier", npm_package_name: "espalier" }
  expect(typedAs("chat", clone)).toBe("npm run espalier -- chat")
  expect(typedAs("chat", { npm_lifecycle_event: "npx", npm_package_name: "mine" })).toBe("npx espalier chat")
  expect(typedAs("chat", {})).toBe("espalier chat")
  expect(typedAs("chat", {}, "deno")).toBe("deno task espalier chat")
  expect(typedAs("serve", { npm_lifecycle_event: "npx" }, "deno")).toBe("npx deno task serve")
  expect(typedAs("chat", {}, "node")).toBe("node src/cli/main.ts chat")
  expect(typedAs("chat", clone, "bun")).toBe("npm run espalier -- chat")
  expect(sourcesRunBy("/clone/scripts/train.ts", "/clone")).toBe("bun")
  expect(sourcesRunBy("/usr/bin/espalier", "/clone")).toBe(null)
  expect(withTyped("See espalier rag --help, or espalier trees", ["rag"], clone)).toBe(
    "See npm run espalier -- rag --help, or espalier trees",
  )
})
