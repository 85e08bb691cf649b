/**
 * @module The executable on a machine without node_modules, without a base and without a runtime: it unpacks itself once,
 * computes on both engines, trains, serves, and trains while it serves.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildExecutable } from "../../../scripts/build-exe.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-exe-test-"))
const executable = join(folder, "bin", "espalier")
const project = join(folder, "project")
/** Nothing of this machine's environment, so that nothing of its installation is found. */
const env = { HOME: folder, PATH: "/nowhere", XDG_CACHE_HOME: join(folder, "cache") }
let server: ChildProcess | null = null

beforeAll(async () => {
  await buildExecutable(executable)
  mkdirSync(project)
  writeFileSync(
    join(project, "rows.jsonl"),
    Array.from(
      { length: 12 },
      (_, i) => `${JSON.stringify({ prompt: `Mira bought ${i} apples.`, completion: `apples: ${i}` })}\n`,
    ).join(""),
  )
}, 180_000)
afterAll(() => {
  server?.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

function ran(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(executable, args, {
    cwd: project,
    env,
    encoding: "utf8",
    timeout: 100_000,
  })
  if (status !== 0) throw new Error(`espalier ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`)
  return stdout
}

/** The address in the line that tells of it. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ""
    const read = (chunk: Buffer): void => {
      text += chunk.toString()
      const found = /on (http:\S+)\/v1/.exec(text)?.[1]
      if (found) resolve(found)
    }
    child.stdout!.on("data", read)
    child.stderr!.on("data", read)
    child.on("exit", (code) => reject(new Error(`The server ended with ${code}:\n${text}`)))
  })
}

describe("the executable", () => {
  test("answers alike on the native engine and on WebAssembly, unpacked once", () => {
    const ask = (backend: string) =>
      ran("generate", "--backend", backend, "--threads", "1", "--max-tokens", "6", "Mira bought 3 apples.").trim()
    const native = ask("native")
    expect(native).not.toBe("")
    const unpacked = readdirSync(join(folder, "cache", "espalier", "executable"))
    expect(unpacked).toHaveLength(1)
    expect(ask("wasm")).toBe(native)
    expect(readdirSync(join(folder, "cache", "espalier", "executable"))).toEqual(unpacked)
  }, 120_000)

  test("trains an adapter, serves it, and trains another while it serves", async () => {
    ran("train", "--data", "rows.jsonl", "--steps", "2", "--samples", "0", "--threads", "1", "--out", "mine")
    expect(readdirSync(join(project, "mine"))).toContain("adapter_model.safetensors")
    server = spawn(executable, ["serve", "--adapter", "mine=mine", "--port", "0", "--threads", "1"], {
      cwd: project,
      env,
    })
    const url = await addressOf(server)
    const post = async (path: string, body: object | FormData): Promise<Record<string, unknown>> => {
      const isForm = body instanceof FormData
      const response = await fetch(`${url}${path}`, {
        method: "POST",
        ...(isForm ? { body } : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      })
      const answer = (await response.json()) as Record<string, unknown>
      expect([response.ok, answer["error"] ?? null]).toEqual([true, null])
      return answer
    }
    const chat = (model: unknown) =>
      post("/v1/chat/completions", { model, messages: [{ role: "user", content: "Hi" }], max_tokens: 4 })
    expect(await chat("mine")).toMatchObject({ object: "chat.completion" })
    const form = new FormData()
    form.set("purpose", "fine-tune")
    form.set("file", new Blob([await Bun.file(join(project, "rows.jsonl")).bytes()]), "rows.jsonl")
    const file = await post("/v1/files", form)
    const asked = { model: "sprig", training_file: file["id"], espalier: { max_steps: 2 } }
    const { id } = await post("/v1/fine_tuning/jobs", asked)
    let job: { status: string; error: unknown; fine_tuned_model: string | null }
    do {
      await Bun.sleep(100)
      job = (await (await fetch(`${url}/v1/fine_tuning/jobs/${id}`)).json()) as typeof job
    } while (["validating_files", "queued", "running"].includes(job.status))
    expect(job).toMatchObject({ status: "succeeded" })
    expect(await chat(job.fine_tuned_model)).toMatchObject({ object: "chat.completion" })
  }, 180_000)
})
