/**
 * @module What a benchmark ran on, and the middle of what it measured.
 */
import { cpus, totalmem } from "node:os"

/** The machine and the runtime. */
export function machine(): Record<string, string | number> {
  const { bun, node, deno } = process.versions as Record<string, string | undefined>
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 2 ** 30),
    runtime: bun ? `bun ${bun}` : deno ? `deno ${deno}` : `node ${node}`,
  }
}

/** The median. @throws {RangeError} For no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Expected at least one measurement")
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The most memory this process has held, in MB. */
export const peakRssMb = (): number => Math.round(process.resourceUsage().maxRSS / 1024)
