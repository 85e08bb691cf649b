/**
 * @module What `bench worker` measured, for people.
 */
import { type Machine, machineLine } from "./machine.ts"
import type { Summary } from "./stats.ts"

const MIB = 2 ** 20
/** Bytes of script that Cloudflare takes, compressed, by plan. */
const PAID_PLAN = 10e6
const FREE_PLAN = 3e6

/** Figures of a run: times in milliseconds, memory in bytes. */
export interface WorkerFigures {
  readonly startMs: Summary
  readonly bareStartMs: Summary
  readonly firstMs: Summary
  readonly perTokenMs: { readonly workerd: Summary; readonly here: Summary }
  readonly warmFirstMs: Summary
  readonly requestCpuMs: number
  readonly residentAdapterMs: Summary
  readonly firstUseMs: Summary
  readonly memory: {
    readonly bare: number
    /** The most that a bare worker has when as many adapters were put into its bucket, and read. */
    readonly bareWithAdapters: number
    readonly answered: number
    readonly trained: number
    /** The most after some answers, when a soft prompt is trained and then answers. */
    readonly softServed: number
    /** The most after some answers, when an adapter is trained and somebody asks meanwhile. */
    readonly meanwhile: number
    /** The most after some answers, when the object is taken away twice for want of requests, and made anew. */
    readonly idle: number
    readonly peak: number
  }
  /** Of those who ask while an adapter is trained: how many in a training, their first token, and how long it takes. */
  readonly meanwhile: { readonly answers: number; readonly firstMs: Summary; readonly trainingMs: number }
  readonly training: {
    readonly cpuMs: number
    readonly ms: number
    readonly firstLoss: number
    readonly lastLoss: number
  }
}

/** The figures as a table. @param gzip bytes of the script and its WebAssembly, compressed */
export function workerReport(figures: WorkerFigures, gzip: number, where: Machine, runs: number): string {
  const { perTokenMs, memory, meanwhile, training, startMs, bareStartMs, firstMs } = figures
  const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`
  const spread = ({ median, least, most }: Summary): string => `${ms(median)} (${ms(least)} to ${ms(most)})`
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`
  const speed = (summary: Summary): string => `${(1000 / summary.median).toFixed(1)} tokens/s`
  const lines: [string, string][] = [
    [
      "bundle, gzip",
      `${(gzip / 1e6).toFixed(2)} MB; ${PAID_PLAN / 1e6} MB are allowed, ${FREE_PLAN / 1e6} MB on the free plan`,
    ],
    ["workerd starts with it", `${spread(startMs)}; one that computes nothing ${spread(bareStartMs)}`],
    ["first request to first token", spread(firstMs)],
    ["cold start to first token, over bare workerd", ms(startMs.median - bareStartMs.median + firstMs.median)],
    ["warm request to first token", spread(figures.warmFirstMs)],
    [
      "decoding",
      `${speed(perTokenMs.workerd)}; in this process ${speed(perTokenMs.here)}, ratio ${(perTokenMs.here.median / perTokenMs.workerd.median).toFixed(2)}`,
    ],
    ["processor a request of 16 tokens", ms(figures.requestCpuMs)],
    [
      "adapter's first use from R2 to first token",
      `${spread(figures.firstUseMs)}; loaded ${spread(figures.residentAdapterMs)}`,
    ],
    [
      "memory after an answer, over bare workerd",
      `${mib(memory.answered - memory.bare)} (${mib(memory.answered)} and ${mib(memory.bare)})`,
    ],
    ["at most, when it trains before it has adapters", `${mib(memory.trained - memory.bare)} (${mib(memory.trained)})`],
    ["at most, when nobody asks for long, twice", `${mib(memory.idle - memory.bare)} (${mib(memory.idle)})`],
    [
      "at most, when a soft prompt is trained and answers",
      `${mib(memory.softServed - memory.bare)} (${mib(memory.softServed)})`,
    ],
    [
      "at most, when somebody asks while it trains",
      `${mib(memory.meanwhile - memory.bare)} (${mib(memory.meanwhile)})`,
    ],
    [
      "first token while it trains",
      `${spread(meanwhile.firstMs)}; ${meanwhile.answers.toFixed(1)} answers in a training, which takes ${(meanwhile.trainingMs / 1000).toFixed(1)} s then`,
    ],
    [
      "at most, training and the adapters included",
      `${mib(memory.peak - memory.bare)} (${mib(memory.peak)}); over a bare one with the adapters in its bucket ${mib(memory.peak - memory.bareWithAdapters)} (${mib(memory.bareWithAdapters)})`,
    ],
    [
      "LoRA of rank 4 on 50 examples, 3 epochs",
      `${(training.cpuMs / 1000).toFixed(1)} s of processor, ${(training.ms / 1000).toFixed(1)} s; loss ${training.firstLoss.toFixed(2)} to ${training.lastLoss.toFixed(2)}`,
    ],
  ]
  const width = Math.max(...lines.map(([name]) => name.length)) + 2
  return [
    machineLine(where),
    `Medians of ${runs}; R2 and assets are miniflare's, on this machine's disk`,
    "",
    ...lines.map(([name, value]) => `${name.padEnd(width)}${value}`),
    "",
  ].join("\n")
}
