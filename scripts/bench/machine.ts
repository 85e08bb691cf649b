/**
 * @module What a measurement was made on.
 */
import { cpus, loadavg, totalmem } from "node:os"
import { formatBytes } from "../../src/train/progress.ts"

/** A machine, as a measurement names it. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory_bytes: number
  /** `Bun 1.4.5`, say. */
  readonly runtime: string
  readonly platform: string
  /** Processes that were waiting for a core over the last minute: above 1, the figures are not those of a quiet machine. */
  readonly load: number
}

/** This machine, now. */
export function machine(): Machine {
  const { bun, deno, node } = process.versions as Record<string, string | undefined>
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() ?? "unknown",
    cores: cores.length,
    memory_bytes: totalmem(),
    runtime: bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`,
    platform: `${process.platform} ${process.arch}`,
    load: Math.round(loadavg()[0]! * 100) / 100,
  }
}

/** A machine in one line, as every report begins. */
export const machineLine = ({ cpu, cores, memory_bytes, platform, runtime, load }: Machine): string =>
  `${cpu}, ${cores} cores, ${formatBytes(memory_bytes)}, ${platform}, ${runtime}, load ${load}`

/** The most memory that this process has had resident, in bytes. */
export const peakMemory = (): number => process.resourceUsage().maxRSS * 1024
