/**
 * @module Progress for people: one live line on a terminal, a plain line now and then elsewhere. Text is made here, where
 * it goes is the caller's business.
 */
import type { EvaluationEnd, StepEnd, TrainEvent } from "./events.ts"

/** Where progress goes and what it may show. */
export interface ProgressOptions {
  /** Writes text as it is: newlines and control sequences are in it. */
  write(text: string): void
  /** Whether a line can be drawn over. */
  readonly isTerminal: boolean
  /** Width of the terminal. @default {80} */
  columns?(): number
  /** Resident memory in bytes; left out where unknown. */
  memory?(): number
  /** Milliseconds that never run backwards. @default {performance.now} */
  clock?(): number
  /** Between plain lines. @default {10000} */
  readonly intervalMs?: number
}

/** What is known at some step. */
interface Figures {
  /** Smoothed over recent steps. */
  readonly loss: number
  readonly tokensPerSecond: number
  readonly remainingMs: number
  readonly memoryBytes: number | null
}

/** Weight of the newest step in the smoothed figures. */
const SMOOTHING = 0.1
/** On a terminal a line is drawn at most this often. */
const DRAW_MS = 100
/** Elsewhere a line is written at least for each such part of the run. */
const PLAIN_PART = 0.05

/** A listener that shows progress. */
export function progressReporter(options: ProgressOptions): (event: TrainEvent) => void {
  const {
    write,
    isTerminal,
    columns = () => 80,
    memory,
    clock = () => performance.now(),
    intervalMs = 10_000,
  } = options
  let loss = 0
  let stepMs = 0
  let rate = 0
  let shownAt = Number.NEGATIVE_INFINITY
  let shownStep = 0
  let isLive = false

  /** Writes a whole line, above the live one if there is one. */
  const line = (text: string): void => {
    write(isLive ? `\r\x1b[2K${text}\n` : `${text}\n`)
    isLive = false
  }
  const smooth = (before: number, now: number, isFirst: boolean): number =>
    isFirst ? now : before + SMOOTHING * (now - before)

  let seen = 0
  const onStep = (event: StepEnd): void => {
    loss = smooth(loss, event.loss, seen === 0)
    // The first step warms the engine up and says nothing about the others.
    stepMs = smooth(stepMs, event.durationMs, seen <= 1)
    rate = smooth(rate, (1000 * event.tokens) / Math.max(event.durationMs, 1e-3), seen <= 1)
    seen++
    const now = clock()
    const isLast = event.step >= event.steps
    const waited = now - shownAt
    const isDue = isTerminal
      ? waited >= DRAW_MS
      : waited >= intervalMs || event.step - shownStep >= event.steps * PLAIN_PART
    if (!isDue && !isLast) return
    shownAt = now
    shownStep = event.step
    const figures = {
      loss,
      tokensPerSecond: rate,
      remainingMs: stepMs * (event.steps - event.step),
      memoryBytes: memory?.() ?? null,
    }
    if (isTerminal) {
      write(`\r\x1b[2K${liveLine(event, figures, columns())}`)
      isLive = true
    } else line(stepLine(event, figures))
  }

  return (event) => {
    if (event.type === "step-end") {
      onStep(event)
      return
    }
    const text = eventLine(event)
    if (text !== null) line(text)
  }
}

/** The line of an event that is no step; null for one that needs none. */
function eventLine(event: Exclude<TrainEvent, StepEnd>): string | null {
  switch (event.type) {
    case "run-start": {
      const resumed = event.resumedAt > 0 ? `, resumed after step ${event.resumedAt}` : ""
      return `Training ${formatCount(event.trainable)} values for ${event.steps} steps${resumed}`
    }
    case "evaluation-end":
      return evaluationLine(event)
    case "checkpoint-saved":
      return event.reason === "interrupt" ? `Checkpoint saved after step ${event.step}` : null
    case "stage-start":
      return `Task ${event.stage + 1} of ${event.stages}: ${event.name}`
    case "tasks-scored": {
      const asked = event.tasks.filter(({ exact }) => exact !== null)
      if (asked.length === 0) return null
      return `exactly right: ${asked.map(({ name, exact }) => `${name} ${(100 * exact!).toFixed(1)} %`).join(" · ")}`
    }
    case "warning":
      return `Warning: ${event.message}`
    case "run-end": {
      const { status, step, best, durationMs } = event
      const kept = best ? `, best held-out loss ${best.loss.toFixed(4)} after step ${best.step}` : ""
      return `${statusText[status]} after step ${step} in ${formatDuration(durationMs)}${kept}`
    }
    default:
      return event satisfies never
  }
}

const statusText = { completed: "Done", "stopped-early": "Stopped early", interrupted: "Interrupted" } as const

/** The line of a step, for logs. */
export function stepLine(event: StepEnd, figures: Figures): string {
  const { loss, tokensPerSecond, remainingMs, memoryBytes } = figures
  const memory = memoryBytes === null ? "" : ` · ${formatBytes(memoryBytes)}`
  const speed = `${formatCount(tokensPerSecond)} tokens/s`
  return `step ${event.step}/${event.steps} · loss ${loss.toFixed(4)} · ${speed} · ${formatDuration(remainingMs)} left${memory}`
}

/** The line of a step with a bar before it, no wider than the terminal. */
export function liveLine(event: StepEnd, figures: Figures, columns: number): string {
  const text = stepLine(event, figures)
  const width = Math.min(24, columns - text.length - 2)
  if (width < 6) return text.slice(0, Math.max(0, columns - 1))
  const filled = Math.round((width * event.step) / event.steps)
  return `${"█".repeat(filled)}${"░".repeat(width - filled)} ${text}`
}

/** The line of an evaluation. */
export function evaluationLine(event: EvaluationEnd): string {
  const { step, loss, perplexity, tokenAccuracy, isBest } = event
  const accuracy = `${(100 * tokenAccuracy).toFixed(1)}% of tokens right`
  if (event.tasks) {
    const each = event.tasks.map(({ name, loss }) => `${name} ${loss.toFixed(4)}`).join(" · ")
    return `${step === 0 ? "before training" : `after step ${step}`} · held-out loss ${loss.toFixed(4)} (${each})${isBest && step > 0 ? " · best so far" : ""}`
  }
  const figures = `held-out loss ${loss.toFixed(4)} · perplexity ${perplexity.toPrecision(4)} · ${accuracy}`
  return `${step === 0 ? "before training" : `after step ${step}`} · ${figures}${isBest && step > 0 ? " · best so far" : ""}`
}

/** `950`, `12.3k`, `4.56M`. */
export function formatCount(n: number): string {
  if (n < 1000) return n.toFixed(0)
  const [unit, size] =
    n < 999_950 ? (["k", 1e3] as const) : n < 999_950_000 ? (["M", 1e6] as const) : (["G", 1e9] as const)
  return `${(n / size).toFixed(1)}${unit}`
}

/** `8 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`
}

/** `512 MB`, `1.25 GB`, in powers of ten. */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}
