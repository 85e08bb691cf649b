/**
 * @module Options of `espalier train`, and what a run's settings are by them.
 */
import { methods } from "../../adapters/mod.ts"
import { EspalierError } from "../core/errors.ts"
import type { Method } from "../method.ts"
import { type MixtureName, mixtureNames } from "../train/mixture.ts"
import { scheduleNames } from "../train/schedule.ts"
import type { OptionValues } from "./command.ts"
import { above, below, between, count, from, seeds, whole } from "./number-range.ts"
import { engineOptions } from "./shared-options.ts"

export const trainOptions = {
  base: engineOptions.base,
  data: {
    type: "string",
    value: "file",
    description: "JSONL, JSON or CSV rows to learn from",
    default: "the bundled example",
  },
  heldout: {
    type: "string",
    value: "file",
    description: "rows to judge by; without it a part of the data is held out",
  },
  "heldout-part": {
    type: "number",
    range: below(0, 1),
    description: "the part of the data that is held out",
    default: "0.1",
  },
  task: {
    type: "list",
    value: "name=file",
    description: "rows of one of several tasks, in place of --data; given once for each",
  },
  "task-heldout": {
    type: "list",
    value: "name=file",
    description: "rows to judge a task by; without it a part of its data is held out",
  },
  order: {
    type: "string",
    description: "several tasks together in every batch, or one after another",
    choices: ["mixed", "sequential"],
    default: "mixed",
  },
  mixture: {
    type: "string",
    description: "how often a batch draws from each of several tasks",
    choices: mixtureNames,
    default: "proportional",
  },
  "mix-temperature": {
    type: "number",
    range: above(0, 1e6),
    value: "T",
    description: "of --mixture temperature: a task of n rows counts as n^(1/T)",
    default: "2",
  },
  out: {
    type: "string",
    value: "folder",
    description: "where the adapter goes",
    default: "adapters-out/<data's name>-<method>",
  },
  method: {
    type: "string",
    description: "how to fine-tune",
    choices: methods.map(({ name }) => name),
    default: "lora",
  },
  set: {
    type: "list",
    value: "name=value",
    description: "a setting of the method, such as rank=16 or targets=q_proj,v_proj",
  },
  "lora-dropout": {
    type: "number",
    range: from(0, 1),
    value: "p",
    description: "LoRA's dropout in training, as PEFT's lora_dropout; the same as --set dropout=...",
    default: "0",
  },
  epochs: {
    type: "number",
    range: above(0, 1e6),
    description: "passes over the data",
    default: "3; 4 for the bundled example",
  },
  steps: { type: "number", range: count(), description: "optimizer steps at most; in sequential order of each task" },
  "batch-size": { type: "number", range: count(65_536), description: "rows of a batch", default: "8" },
  accumulation: { type: "number", range: count(65_536), description: "batches of an optimizer step", default: "1" },
  "max-length": {
    type: "number",
    range: whole(2, 2 ** 20),
    value: "tokens",
    description: "longer rows are cut",
    default: "the base's context, at most 1024",
  },
  "learning-rate": {
    type: "number",
    range: from(0, 100),
    description: "peak learning rate",
    default: "the method's own",
  },
  schedule: { type: "string", description: "how the rate goes down", choices: scheduleNames, default: "cosine" },
  warmup: {
    type: "number",
    range: from(0, 1e9),
    description: "steps of warm-up; below 1 a part of the run",
    default: "0.03",
  },
  "weight-decay": { type: "number", range: from(0, 1000), description: "AdamW's weight decay", default: "0.01" },
  "max-grad-norm": {
    type: "number",
    range: above(0, 1e9),
    description: "gradients are clipped to this norm",
    default: "1",
  },
  "evaluate-every": {
    type: "number",
    range: count(),
    value: "steps",
    description: "steps between evaluations",
    default: "an epoch",
  },
  patience: { type: "number", range: count(), description: "stop after so many evaluations without gain" },
  "checkpoint-every": {
    type: "number",
    range: count(),
    value: "steps",
    description: "steps between checkpoints",
    default: "50",
  },
  "loss-on": {
    type: "string",
    description: "tokens that count",
    choices: ["completion", "all"],
    default: "completion",
  },
  "chat-template": {
    type: "boolean",
    description: "render prompts by the base's chat template (--no-chat-template: don't)",
    default: "true",
  },
  seed: { type: "number", range: seeds, description: "decides split, order and initialisation", default: "0" },
  samples: {
    type: "number",
    range: whole(0, 10_000),
    description: "held-out answers to show before and after",
    default: "3",
  },
  score: {
    type: "boolean",
    description: "score held-out answers before and after (--no-score: don't)",
    default: "true",
  },
  retention: {
    type: "string",
    value: "suite|off|file",
    description: "score before and after what the base knew, by its own suite or by a JSONL file of items",
    default: "suite",
  },
  "retention-items": {
    type: "number",
    range: count(1e6),
    description: "items that retention is measured by",
    default: "96",
  },
  "max-forgetting": {
    type: "number",
    range: from(0, 100),
    value: "points",
    description: "hold the adapter back from serving where retention's mean score falls by more points of a hundred",
  },
  replay: {
    type: "number",
    range: between(0, 1),
    value: "share",
    description: "the part of the rows that are of what the base was taught before, against forgetting",
  },
  "replay-data": {
    type: "string",
    value: "file",
    description: "those rows",
    default: "the items of the base's own suite that retention does not score",
  },
  kl: {
    type: "number",
    range: from(0, 1e6),
    value: "beta",
    description: "add beta times KL(base || adapted) to the loss, against forgetting",
  },
  "kl-data": {
    type: "string",
    description: "the rows where it is added",
    choices: ["all", "replay"],
    default: "replay where rows are replayed, else all",
  },
  resume: { type: "boolean", description: "go on from the run's checkpoint, if there is one" },
  backend: engineOptions.backend,
  quantize: engineOptions.quantize,
  threads: engineOptions.threads,
  config: {
    type: "string",
    value: "file",
    description: "options from a YAML or JSON file; the command line goes first",
  },
} as const

/** Values of the options. */
export type TrainValues = OptionValues<typeof trainOptions>

/**
 * LoRA's rate for the bundled example: a third of its own, at which the embedded base learns the form as well and forgets
 * less than a third of what it does at three times its own (docs/study.md).
 */
const BUNDLED_RATE = 3.3e-4

/** Settings of LoRA that have an option of their own. @throws {EspalierError} `invalid_request` with another method. */
export function loraSettings(method: Method, values: TrainValues): Record<string, unknown> {
  const dropout = values["lora-dropout"]
  if (dropout === undefined) return {}
  if (method.name !== "lora") {
    throw new EspalierError("invalid_request", `Method ${method.name} has no dropout: --lora-dropout is LoRA's`, {
      param: "lora-dropout",
      hint: "Leave it out, or train with --method lora",
    })
  }
  return { dropout }
}

/** Options as a run's settings. */
export function settingsOf(values: TrainValues, method: Method, bundled: boolean, seed: number) {
  return {
    batchSize: values["batch-size"] ?? 8,
    accumulation: values.accumulation ?? 1,
    ...(values["max-length"] !== undefined && { maxLength: values["max-length"] }),
    lossOn: (values["loss-on"] ?? "completion") as "completion" | "all",
    chatTemplate: values["chat-template"] ?? true,
    seed,
    ...(values.replay !== undefined && { replay: values.replay }),
    ...(values.kl !== undefined && { kl: divergenceOf(values, values.kl) }),
    order: (values.order ?? "mixed") as "mixed" | "sequential",
    mixture: {
      name: (values.mixture ?? "proportional") as MixtureName,
      temperature: values.mixture === "temperature" ? (values["mix-temperature"] ?? 2) : 1,
    },
    train: {
      epochs: values.epochs ?? (bundled ? 4 : 3),
      maxSteps: values.steps ?? null,
      learningRate: values["learning-rate"] ?? (bundled && method.name === "lora" ? BUNDLED_RATE : method.learningRate),
      schedule: (values.schedule ?? "cosine") as (typeof scheduleNames)[number],
      warmup: values.warmup ?? 0.03,
      weightDecay: values["weight-decay"] ?? 0.01,
      maxGradNorm: values["max-grad-norm"] ?? 1,
      evaluateEvery: values["evaluate-every"] ?? null,
      patience: values.patience ?? null,
      checkpointEvery: values["checkpoint-every"] ?? 50,
      seed,
    },
  }
}

/** @throws {EspalierError} `invalid_request` for rows that aren't there. */
function divergenceOf(values: TrainValues, beta: number): { beta: number; rows: "all" | "replay" } {
  const rows = (values["kl-data"] ?? (values.replay === undefined ? "all" : "replay")) as "all" | "replay"
  if (rows === "replay" && values.replay === undefined)
    throw new EspalierError("invalid_request", "--kl-data replay needs rows that are replayed", {
      param: "kl-data",
      hint: "Add --replay 0.1, or take all rows: --kl-data all",
    })
  return { beta, rows }
}
