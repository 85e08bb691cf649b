/**
 * @module The example page in real Chromium, freshly built, on WebAssembly and on WebGPU: it trains, its loss falls, it answers in
 * pieces, what it exports answers alike natively, nothing leaves its origin, and its engines compute PyTorch's numbers. What was trained
 * outlives a change of engines and a Worker's end, and isn't lost unasked.
 *
 * Usage: bun run test/runtimes/browser/smoke.ts [--screenshot file.png] [--backend wasm|webgpu]
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { parseArgs } from "node:util"
import { unzipSync } from "fflate"
import { type Browser, chromium, type Page } from "playwright-core"
import { buildBrowser, bundleForBrowser } from "../../../scripts/build-browser.ts"
import { serveFolder } from "../../../scripts/static-server.ts"
import type { ParityCheck } from "../../../src/eval/parity.ts"
import { openEngine } from "../../../src/presets/open-engine.ts"
import { createService } from "../../../src/service/service.ts"
import { listFiles } from "../../support/list-files.ts"
import { root } from "../../support/source-tree.ts"
import type { ParityQuestion } from "./parity-worker.ts"

const { values } = parseArgs({ options: { screenshot: { type: "string" }, backend: { type: "string" } } })
const backends = (["wasm", "webgpu"] as const).filter((name) => values.backend === undefined || values.backend === name)
/** Cases and methods that each backend is compared on. */
const parity: Readonly<Record<(typeof backends)[number], readonly (readonly [string, readonly string[]])[]>> = {
  wasm: [
    ["llama", ["lora", "prompt_tuning", "prefix_tuning", "ia3"]],
    ["qwen2", ["lora"]],
    ["gpt2", ["lora"]],
  ],
  webgpu: [["llama", ["lora", "prompt_tuning"]]],
}
const executablePath =
  process.env["CHROMIUM"] ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => existsSync(path))
if (!executablePath) throw new Error("There is no Chromium: name one by the environment variable CHROMIUM")

const folder = mkdtempSync(join(tmpdir(), "espalier-browser-"))
const site = join(folder, "site")
const say = (line: string): void => console.log(line)
const expected = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(`Expected ${what}`)
}

const text = async (page: Page, selector: string): Promise<string> => (await page.textContent(selector)) ?? ""

/** Waits for something; the page's own rules forbid the code by which playwright would wait inside it. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 300_000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error("Waited for the page for five minutes")
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** What a page is asked. */
const QUESTION = "Lena bought 8 hats."

async function uses(page: Page, backend: "wasm" | "webgpu", shot: string | undefined): Promise<string> {
  if (backend === "webgpu") await page.selectOption("#backend", "webgpu")
  await until(async () => new RegExp(`on ${backend} .*ready|can't|failed|refused`).test(await text(page, "#status")))
  const status = await text(page, "#status")
  expected(status.includes("ready"), `a base on ${backend} but the page says: ${status}`)
  await page.fill("#name", `orders-${backend}`)
  await page.fill("#epochs", backend === "wasm" ? "20" : "1")
  await page.fill("#rate", "0.01")
  await page.click("#train")
  await until(() => page.isDisabled("#stop"))
  const progress = await text(page, "#progress")
  const [, first, last] = /loss ([\d.]+) to ([\d.]+)/.exec(progress) ?? []
  expected(Number(last) < Number(first), `a loss that fell but the page says: ${progress}`)
  const points = (await page.getAttribute("#curve polyline", "points"))?.split(" ").length ?? 0
  expected(points >= 3, `a curve of at least 3 points but found ${points}`)
  await page.fill("#text", QUESTION)
  await page.click("#send")
  await page.waitForSelector("#log .said[data-whole]", { timeout: 60_000 })
  const said = await text(page, "#log .said:last-child")
  if (shot) await page.screenshot({ path: shot, fullPage: true })
  const downloading = page.waitForEvent("download")
  await page.click("#export")
  const zip = readFileSync(await (await downloading).path())
  expected((await answerNatively(zip, `orders-${backend}`)) === said, `the native answer to be the page's: ${said}`)
  say(`${backend}: ${status}; ${progress}; "${said}", natively too`)
  return said
}

/** What the engine of `espalier serve` answers with an exported adapter. */
async function answerNatively(zip: Uint8Array, name: string): Promise<string> {
  for (const [file, bytes] of Object.entries(unzipSync(zip))) {
    await mkdir(join(folder, "exported", file, ".."), { recursive: true })
    await writeFile(join(folder, "exported", file), bytes)
  }
  const engine = await openEngine({ base: join(root, "models", "sprig"), backend: "native" })
  const service = createService({ engine })
  try {
    await engine.load(name, { path: join(folder, "exported", name) })
    const outcome = await service.chat({
      ...{ model: name, temperature: 0, max_tokens: 64 },
      messages: [{ role: "user", content: QUESTION }],
    })
    if (!("whole" in outcome)) throw new Error("Expected a whole answer")
    return outcome.whole.choices[0]!.message.content ?? ""
  } finally {
    await service.close()
  }
}

/** What was trained on one engine answers on another, too. */
async function carriesOver(page: Page, name: string, wanted: string): Promise<void> {
  await page.selectOption("#adapter", name)
  await page.fill("#text", QUESTION)
  await page.click("#send")
  await page.waitForSelector("#log .said[data-whole]", { timeout: 60_000 })
  const said = await text(page, "#log .said:last-child")
  expected(said === wanted, `"${wanted}" on the other engine but found "${said}"`)
  say(`${name}: the same answer on the other engine`)
}

/** A base that can't be opened: nothing can be pressed that would want one, until one is open. */
async function needsBase(page: Page, url: string): Promise<void> {
  await page.route("**/models/sprig/files.json", (route) => route.fulfill({ status: 404 }))
  await page.goto(url)
  await until(async () => !(await page.isDisabled("#backend")))
  const [train, send] = [await page.isDisabled("#train"), await page.isDisabled("#send")]
  const status = await text(page, "#status")
  expected(train && send && !status.includes("ready"), `no base and no buttons but the page says: ${status}`)
  await page.unroute("**/models/sprig/files.json")
  say(`without a base: ${status}`)
}

/** A Worker that ends in the middle of a training: the page says so and opens the base anew. */
async function outlivesWorker(page: Page, url: string): Promise<void> {
  await page.route("**/worker.js", async (route) => {
    const answer = await route.fetch()
    const ending =
      "onmessage = ((inner) => (event) => { if (event.data.epochs === 7) throw new Error('out of memory'); inner(event) })(onmessage)"
    await route.fulfill({ response: answer, body: `${await answer.text()}\n;${ending}` })
  })
  await page.goto(url)
  await until(async () => (await text(page, "#status")).includes("ready"))
  await page.fill("#epochs", "7")
  await page.click("#train")
  await until(async () => /failed/.test(await text(page, "#progress")) && !(await page.isDisabled("#train")))
  say(`a Worker that ended: ${await text(page, "#progress")}; ${await text(page, "#status")}`)
  await page.unroute("**/worker.js")
}

/** Leaving the page asks first while it holds what was trained and not downloaded. */
async function asksBeforeLeaving(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await until(async () => (await text(page, "#status")).includes("ready"))
  await page.fill("#epochs", "1")
  await page.click("#train")
  await until(() => page.isDisabled("#stop"))
  const asked: string[] = []
  page.on("dialog", async (dialog) => {
    asked.push(dialog.type())
    await dialog.accept()
  })
  await page.goto("about:blank")
  expected(asked.join() === "beforeunload", `to be asked before an adapter is lost but found ${asked}`)
  say("an adapter that nobody downloaded: the page asks before it is left")
}

async function compares(page: Page, backend: "wasm" | "webgpu"): Promise<void> {
  for (const [name, methods] of parity[backend]) {
    const question: ParityQuestion = { backend, case: name, methods }
    const checks = await page.evaluate(
      (asked) =>
        new Promise<ParityCheck[] | string>((resolve) => {
          const worker = new Worker("parity.js", { type: "module" })
          worker.onmessage = ({ data }) => {
            worker.terminate()
            resolve(data)
          }
          worker.onerror = (event) => resolve(event.message)
          worker.postMessage(asked)
        }),
      question,
    )
    if (typeof checks === "string") throw new Error(`Case ${name} on ${backend}: ${checks}`)
    const wrong = checks.filter(({ ok }) => ok !== true)
    expected(wrong.length === 0, `PyTorch's numbers on ${backend} but found ${JSON.stringify(wrong)}`)
    expected(checks.length === 2 + 5 * methods.length, `checks of every method of ${name} but found ${checks.length}`)
    const worst = Math.max(...checks.map((check) => check.max_abs_diff ?? 0))
    say(`${backend}: ${name}, ${methods.join(", ")} as PyTorch and PEFT, at most ${worst.toExponential(1)} off`)
  }
}

let browser: Browser | null = null
try {
  await buildBrowser(site)
  await bundleForBrowser({ entry: "test/runtimes/browser/parity-worker.ts", outfile: join(site, "parity.js") })
  for (const name of new Set(Object.values(parity).flatMap((cases) => cases.map(([each]) => each)))) {
    cpSync(join(root, "test", "fixtures", "parity", name), join(site, "parity", name), { recursive: true })
    listFiles(join(site, "parity", name))
  }
  const server = await serveFolder(site, 0)
  browser = await chromium.launch({
    executablePath,
    // SwiftShader stands in for a GPU.
    args: [
      "--no-sandbox",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--use-angle=swiftshader",
      "--enable-features=Vulkan",
    ],
  })
  const page = await browser.newPage({ viewport: { width: 1100, height: 760 } })
  const elsewhere: string[] = []
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url())) elsewhere.push(request.url())
  })
  page.on("pageerror", (error) => say(`The page threw: ${error.message}`))
  await page.goto(`${server.url}/`)
  const said: string[] = []
  for (const backend of backends) {
    said.push(await uses(page, backend, backend === "wasm" ? values.screenshot : undefined))
    await compares(page, backend)
  }
  if (said.length === 2) {
    await page.selectOption("#backend", "wasm")
    await until(async () => /on wasm .*ready/.test(await text(page, "#status")))
    await carriesOver(page, "orders-wasm", said[0]!)
    await page.selectOption("#backend", "webgpu")
    await until(async () => /on webgpu .*ready/.test(await text(page, "#status")))
    await carriesOver(page, "orders-wasm", said[0]!)
  }
  await needsBase(page, `${server.url}/`)
  await outlivesWorker(page, `${server.url}/`)
  await asksBeforeLeaving(page, `${server.url}/`)
  expected(elsewhere.length === 0, `no request to leave the page but found ${elsewhere.join(", ")}`)
  await server.close(0)
} finally {
  await browser?.close()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)
