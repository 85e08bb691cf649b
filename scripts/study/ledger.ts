/**
 * @module What a study has measured so far, a line each, so that one that is interrupted goes on where it was.
 */
import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { dirname } from "node:path"

/** Measures what has not been measured. */
export type Once = <T>(key: string, measure: () => Promise<T>) => Promise<T>

interface Entry {
  readonly key: string
  readonly figures: unknown
}

/** A file of figures. */
export interface Ledger {
  readonly once: Once
  /** Takes the file away, once its figures are elsewhere. */
  remove(): Promise<void>
}

/**
 * Opens a ledger, empty unless what it holds was measured of the same subject.
 * @param subject everything that figures depend on
 */
export async function openLedger(path: string, subject: unknown): Promise<Ledger> {
  const title = JSON.stringify(subject)
  const known = new Map<string, unknown>()
  const [first, ...lines] = (await readFile(path, "utf8").catch(() => "")).split("\n")
  if (first === title) {
    // A line that was cut off holds nothing: its measurement is made again.
    for (const line of lines) {
      const entry = parsed(line)
      if (entry) known.set(entry.key, entry.figures)
    }
  }
  await mkdir(dirname(path), { recursive: true })
  const held = [...known].map(([key, figures]) => `${JSON.stringify({ key, figures } satisfies Entry)}\n`)
  await writeFile(path, `${title}\n${held.join("")}`)
  return {
    async once<T>(key: string, measure: () => Promise<T>): Promise<T> {
      if (known.has(key)) return known.get(key) as T
      const figures = await measure()
      known.set(key, figures)
      await appendFile(path, `${JSON.stringify({ key, figures } satisfies Entry)}\n`)
      return figures
    },
    remove: () => rm(path, { force: true }),
  }
}

function parsed(line: string): Entry | null {
  try {
    return JSON.parse(line) as Entry
  } catch {
    return null
  }
}
