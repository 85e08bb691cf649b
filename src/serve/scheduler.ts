/**
 * @module The scheduler: continuous batching over one decoder. All generations that have read their prompts get their
 * next token from one run of the base; they join and leave between two runs. Prompts are read in chunks between those
 * runs, so that nobody waits for somebody else's document.
 */
import { EspalierError } from "../core/errors.ts"
import { createExclusive, type Exclusive } from "../core/exclusive.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { type Breathe, createBreathe } from "./breathe.ts"
import type { Decoder } from "./decoder.ts"
import { EventQueue } from "./event-queue.ts"
import type { GenerationEvent, GenerationRequest } from "./generation.ts"
import { GenerationTask } from "./generation-task.ts"
import { queueFull } from "./room.ts"

/** How much a scheduler takes on. */
export interface SchedulerOptions {
  /** Generations that advance at the same time, each with its own KV cache. @default {8} */
  readonly maxActive?: number
  /** Generations that wait for a place; one more is refused with `queue_full`. @default {64} */
  readonly maxWaiting?: number
  /**
   * Tokens that a request without a limit of its own may generate. Each sequence's cache is made for all that it may
   * hold, so a long context is paid for by every request that leaves the limit out. @default {1024}
   */
  readonly defaultMaxTokens?: number
  /** Prompt tokens read between two steps, of all prompts together. @default {256} */
  readonly prefillChunk?: number
  /** Milliseconds that never run backwards. @default {performance.now} */
  readonly clock?: () => number
  /** Lets events in between turns. @default {createBreathe()} */
  readonly breathe?: Breathe
}

/** Counters since the start, and what is going on now. */
export interface SchedulerStats {
  readonly active: number
  readonly waiting: number
  readonly maxActive: number
  readonly maxWaiting: number
  readonly finished: number
  readonly aborted: number
  readonly failed: number
  readonly promptTokens: number
  readonly completionTokens: number
}

/** Runs generations. */
export interface Scheduler {
  /**
   * Accepts all of `requests` or none; their holds are the scheduler's from here on, and are released on refusal too.
   * @returns one stream of events for each; a stream that is left early aborts its generation
   * @throws {EspalierError} `context_length_exceeded`, `invalid_request` for ids that are none, `queue_full` if there is no
   *   place
   */
  submit(requests: readonly GenerationRequest[]): AsyncIterable<GenerationEvent>[]
  /** Runs `job` while no other call of the decoder is under way: binding an adapter, say. */
  exclusive: Exclusive["run"]
  /** Runs `job`, which waits for files or for turns of its own, with some time to itself between two steps. */
  beside<T>(job: () => Promise<T>): Promise<T>
  stats(): SchedulerStats
  /** Ends every generation with `unavailable` and accepts no more. */
  close(): Promise<void>
}

/** The part that one more generation has in what is usual. */
const LATELY = 0.2
/**
 * Milliseconds that what runs beside generations has between two steps: some dozen answers of a file system, where each
 * would wait for a step to end else.
 */
const BESIDE_MS = 1
/** Milliseconds after which a job beside has no time to itself any more: what takes so long waits for a network. */
const BESIDE_LONGEST_MS = 100

/** A scheduler over `decoder`, whose calls nobody else may make except through `exclusive`. */
export function createScheduler(decoder: Decoder, tokenizer: Tokenizer, options: SchedulerOptions = {}): Scheduler {
  const maxActive = options.maxActive ?? 8
  const maxWaiting = options.maxWaiting ?? 64
  const prefillChunk = options.prefillChunk ?? 256
  const defaultMaxTokens = options.defaultMaxTokens ?? 1024
  const breathe = options.breathe ?? createBreathe()
  const clock = options.clock ?? (() => performance.now())
  const { run: exclusive } = createExclusive()
  const totals = { finished: 0, aborted: 0, failed: 0, promptTokens: 0, completionTokens: 0 }
  const waiting: GenerationTask[] = []
  const active: GenerationTask[] = []
  const asked = new Map<GenerationTask, number>()
  const began = new Map<GenerationTask, number>()
  /** How long a generation has its place, in milliseconds: of late, more than of old. */
  let usual = 0
  /** When the jobs beside began. */
  const beside = new Set<{ readonly began: number }>()
  let loop: Promise<void> | null = null
  let closed = false

  /** Lets events in: once, or for as long as jobs beside have it. */
  const letIn = async (): Promise<void> => {
    const start = clock()
    const isAtWork = (): boolean => [...beside].some(({ began }) => clock() - began < BESIDE_LONGEST_MS)
    do await breathe()
    while (isAtWork() && clock() - start < BESIDE_MS)
  }

  const finish = (task: GenerationTask): void => {
    remove(waiting, task)
    remove(active, task)
    const start = began.get(task)
    if (start !== undefined) usual += (clock() - start - usual) * (usual === 0 ? 1 : LATELY)
    began.delete(task)
    asked.delete(task)
    totals[task.outcome === "running" ? "failed" : task.outcome]++
    totals.promptTokens += task.usage.promptTokens
    totals.completionTokens += task.usage.completionTokens
  }

  const sweep = (): void => {
    for (const task of [...active]) if (task.over) finish(task)
  }

  /** Reads on in prompts, up to the budget of a turn; who was served goes to the end of the line. */
  const readPrompts = async (): Promise<void> => {
    let budget = prefillChunk
    for (const task of active.filter(({ reading }) => reading)) {
      if (budget <= 0) break
      // Somebody may have left meanwhile, for whom no more work shall be done.
      task.settle()
      if (task.over) continue
      budget -= await exclusive(() => task.read(budget))
      remove(active, task)
      active.push(task)
      // An answer that its prompt's reading has ended is over before its client hears of it.
      sweep()
      await letIn()
    }
  }

  /** One token for each generation that has read its prompt. */
  const stepAll = async (): Promise<void> => {
    const tasks = active.filter(({ reading, over }) => !reading && !over)
    if (tasks.length === 0) return
    try {
      await exclusive(async () => {
        const logits = await decoder.step(tasks.map(({ row }) => row))
        for (const [i, task] of tasks.entries()) task.take(logits[i]!)
      })
    } catch {
      // One that the engine refuses must not take the others with it: each for itself, to see who it is.
      for (const task of tasks) await exclusive(() => stepAlone(task))
    }
  }
  const stepAlone = async (task: GenerationTask): Promise<void> => {
    const { sequence, token } = task.row
    try {
      task.take(await sequence.append([token]))
    } catch (error) {
      task.fail(error)
    }
  }

  /** Turns, over and over, until there is nothing to do. */
  const runLoop = async (): Promise<void> => {
    while (active.length + waiting.length > 0) {
      while (active.length < maxActive && waiting.length > 0) {
        const task = waiting.shift()!
        const now = clock()
        task.waitedMs = now - asked.get(task)!
        began.set(task, now)
        active.push(task)
      }
      for (const task of active) task.settle()
      sweep()
      await readPrompts()
      sweep()
      await stepAll()
      sweep()
      await letIn()
    }
    loop = null
  }

  return {
    submit(requests) {
      try {
        if (closed) throw new EspalierError("unavailable", "The engine is shutting down")
        for (const request of requests) checkRequest(request, decoder)
        // In about this time all that wait now have had their places.
        const retryAfter = (usual * (waiting.length + 1)) / maxActive / 1000
        checkRoom(active.length + waiting.length, requests.length, maxActive + maxWaiting, retryAfter)
      } catch (error) {
        for (const request of requests) request.adapter?.release()
        throw error
      }
      const streams = requests.map((request) => {
        const leave = (): void => {
          task.abort()
          // A generation that has no place yet holds nothing that a turn would have to give back.
          if (waiting.includes(task)) {
            task.close()
            finish(task)
          }
        }
        const events = new EventQueue<GenerationEvent>(leave)
        const task = new GenerationTask(request, { decoder, tokenizer, defaultMaxTokens, events })
        waiting.push(task)
        asked.set(task, clock())
        if (request.signal?.aborted) leave()
        else request.signal?.addEventListener("abort", leave, { once: true })
        task.onClose = () => request.signal?.removeEventListener("abort", leave)
        return events
      })
      if (active.length + waiting.length > 0) loop ??= runLoop()
      return streams
    },
    exclusive,
    async beside(job) {
      const entry = { began: clock() }
      beside.add(entry)
      try {
        return await job()
      } finally {
        beside.delete(entry)
      }
    },
    stats: () => ({ active: active.length, waiting: waiting.length, maxActive, maxWaiting, ...totals }),
    async close() {
      closed = true
      const error = new EspalierError("unavailable", "The engine is shutting down", { hint: "Try again in a moment" })
      for (const task of [...waiting, ...active]) task.abort(error)
      await loop
    },
  }
}

/** Whether a prompt has tokens, and all of them are the base's. @throws {EspalierError} `invalid_request` */
export function checkPrompt(ids: readonly number[], { info: { vocabSize } }: Decoder): void {
  if (ids.length === 0) throw new EspalierError("invalid_request", "The prompt has no tokens", { param: "prompt" })
  for (const id of ids) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw new EspalierError("invalid_request", `Expected token ids from 0 to ${vocabSize - 1} but found ${id}`, {
        param: "prompt",
      })
    }
  }
}

/** Whether prompt, virtual tokens and completion fit the context and the ids are the base's. */
function checkRequest(request: GenerationRequest, decoder: Decoder): void {
  const { contextLength, vocabSize } = decoder.info
  const virtual = request.adapter?.bound.virtualTokens ?? 0
  const prompt = request.promptIds.length
  checkPrompt(request.promptIds, decoder)
  for (const [id] of request.sampling.logitBias) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw new EspalierError("invalid_request", `Expected token ids from 0 to ${vocabSize - 1} but found ${id}`, {
        param: "logit_bias",
      })
    }
  }
  const completion = request.maxTokens ?? 1
  if (virtual + prompt + completion > contextLength) {
    const parts = [`${prompt} tokens of prompt`, `${completion} of completion`]
    if (virtual > 0) parts.push(`${virtual} virtual tokens of the adapter`)
    const fits = request.maxTokens !== null && virtual + prompt < contextLength
    throw new EspalierError(
      "context_length_exceeded",
      `This model's context holds ${contextLength} tokens but ${virtual + prompt + completion} were asked for: ${parts.join(", ")}`,
      fits
        ? { hint: "Shorten the prompt or lower max_tokens", param: "max_tokens" }
        : { hint: "Shorten the prompt", param: "prompt" },
    )
  }
}

function checkRoom(taken: number, asked: number, room: number, retryAfter: number): void {
  if (asked > room) {
    throw new EspalierError("invalid_request", `Expected at most ${room} completions at once but found ${asked}`, {
      param: "n",
    })
  }
  if (taken + asked > room) {
    throw queueFull(taken, retryAfter)
  }
}

function remove<T>(items: T[], item: T): void {
  const place = items.indexOf(item)
  if (place >= 0) items.splice(place, 1)
}
