import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openAppendFile } from "../../../src/store/append-file.ts"
import { readFileIfThere, removeFile } from "../../../src/store/file.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-append-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("openAppendFile()", () => {
  test("makes the file and its folder, and adds whole lines", async () => {
    const path = join(folder, "new", "lines.jsonl")
    const file = await openAppendFile(path)
    file.append("a")
    expect(readFileSync(path, "utf8")).toBe("a\n")
    file.append("ä")
    file.close()
    file.close()
    expect(readFileSync(path, "utf8")).toBe("a\nä\n")
    expect(() => file.append("b")).toThrow("The file is closed")
  })

  test("keeps of an old file what is wanted, and leaves nothing beside it", async () => {
    const path = join(folder, "old.jsonl")
    const first = await openAppendFile(path)
    for (const line of ["1", "2", "3"]) first.append(line)
    first.close()
    const second = await openAppendFile(path, (text) => text.replace("3\n", ""))
    second.append("4")
    second.close()
    expect(readFileSync(path, "utf8")).toBe("1\n2\n4\n")
    const third = await openAppendFile(path)
    third.close()
    expect(readFileSync(path, "utf8")).toBe("")
    expect(readdirSync(folder).filter((name) => name.includes("old"))).toEqual(["old.jsonl"])
  })
})

test("readFileIfThere() and removeFile() take a missing file as such, and other failures as failures", async () => {
  const path = join(folder, "missing")
  expect(await readFileIfThere(path)).toBeNull()
  await removeFile(path)
  await expect(readFileIfThere(folder)).rejects.toThrow()
})
