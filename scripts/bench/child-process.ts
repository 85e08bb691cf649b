/**
 * @module What another process takes, as Linux's /proc says: for engines that run in a process that something else started.
 */
import { readdirSync, readFileSync } from "node:fs"
import { EspalierError } from "../../src/core/errors.ts"

/** Ticks of a second in /proc: the same on every Linux that is not built by hand. */
const TICKS = 100

const statOf = (pid: number): string[] => {
  // The second field is the name in brackets, which may hold spaces.
  const text = readFileSync(`/proc/${pid}/stat`, "utf8")
  return text.slice(text.lastIndexOf(")") + 2).split(" ")
}

/** Processes below this one whose program has a name. @throws {EspalierError} `unsupported` where there is no /proc */
export function childrenNamed(name: string): number[] {
  const found: number[] = []
  let pids: string[]
  try {
    pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))
  } catch (cause) {
    throw new EspalierError("unsupported", "What a process takes is read from /proc, which only Linux has", { cause })
  }
  for (const pid of pids.map(Number)) {
    try {
      if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() === name && Number(statOf(pid)[1]) === process.pid)
        found.push(pid)
    } catch {
      // It has ended meanwhile.
    }
  }
  return found
}

/** Bytes resident now, and the most that ever were. */
export function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const bytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)![1]) * 1024
  return { now: bytes("VmRSS"), peak: bytes("VmHWM") }
}

/** Milliseconds of the processor that it has used, all threads together, to 10 ms. */
export function processorMsOf(pid: number): number {
  const stat = statOf(pid)
  return ((Number(stat[11]) + Number(stat[12])) * 1000) / TICKS
}
