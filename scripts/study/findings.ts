/**
 * @module What the study's figures say to what is commonly said of fine-tuning: each claim is held against the figures of
 * the run, and the verdict comes out of them, whichever way it falls.
 */
import { formatCount } from "../../src/train/progress.ts"
import type { MethodFigures, RateFigures } from "./methods.ts"
import type { StudyFigures } from "./page.ts"
import { bytesText, percent, rateText } from "./text.ts"

/** A claim, whether the figures bear it out, and those figures in words. */
export interface Finding {
  readonly claim: string
  readonly verdict: "borne out" | "contradicted" | "in part"
  readonly figures: string
}

/** By how much a method has to beat the frozen base. */
const CLEAR = 0.5
/** Parts of a hundred that a run of 60 questions can't tell apart from chance. */
const NEAR = 0.05

const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`
const named = (methods: readonly { readonly method: string }[]): string =>
  list(methods.map(({ method }) => `\`${method}\``))
const keptRun = ({ rates, kept }: MethodFigures): RateFigures => rates[kept]!
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
const fallOf = (run: { readonly suite_before: number; readonly suite_after: number }): number =>
  run.suite_before - run.suite_after
const points = (part: number): string => `${(100 * part).toFixed(1)} points`
const most = <T>(items: readonly T[], by: (item: T) => number): T =>
  items.reduce((best, item) => (by(item) > by(best) ? item : best))

/** Methods whose parameters stand before the text and in no layer's weights. */
const SOFT = ["prompt_tuning", "p_tuning", "prefix_tuning"]

/** Every finding, in the order of the page. */
export const findingsOf = (figures: StudyFigures): Finding[] => [
  ...ofMethods(figures),
  ...ofPrompts(figures),
  ofRates(figures),
  ...ofTasks(figures),
  ...ofForgetting(figures),
  ofMerging(figures),
  ...ofFacts(figures),
]

function ofMethods({ methods: { before, methods } }: StudyFigures): Finding[] {
  const failed = methods.filter(({ right }) => right < before.right + CLEAR)
  const full = methods.find(({ method }) => method === "full")!
  const few = methods.filter(
    (each) => keptRun(each).trainable * 10 <= keptRun(full).trainable && each.right >= full.right - NEAR,
  )
  const fewest = [...few].sort((a, b) => keptRun(a).trainable - keptRun(b).trainable)[0]
  const others = methods.filter((each) => each !== full)
  const memory = others.map((each) => each.memory.peak_memory_bytes / full.memory.peak_memory_bytes)
  const forgetsMore = others.filter(({ suite }) => suite < full.suite - NEAR)
  return [
    {
      claim: "Every method teaches a frozen base a form that it does not have",
      verdict: failed.length === 0 ? "borne out" : failed.length < methods.length ? "in part" : "contradicted",
      figures:
        failed.length === 0
          ? `from ${percent(before.right)} to ${percent(Math.min(...methods.map(({ right }) => right)))} or more, by each of the ${methods.length}.`
          : `${named(failed)} did not.`,
    },
    {
      claim: "A small part of the parameters is enough",
      verdict: fewest ? "borne out" : "contradicted",
      figures: fewest
        ? `${few.length} methods with at most a tenth of the parameters answer as well as \`full\` does, to ${100 * NEAR} points; the fewest are those of \`${fewest.method}\`, ${formatCount(keptRun(fewest).trainable)} of ${formatCount(keptRun(full).trainable)}, in ${bytesText(keptRun(fewest).file_bytes)} instead of ${bytesText(keptRun(full).file_bytes)}.`
        : "none with a tenth of the parameters or fewer comes near `full`.",
    },
    {
      claim: "Few parameters save memory in proportion",
      verdict: Math.min(...memory) < 0.2 ? "borne out" : Math.min(...memory) < 1 ? "in part" : "contradicted",
      figures: `they take ${percent(Math.min(...memory))} to ${percent(Math.max(...memory))} of the memory of \`full\`: its gradients and moments are saved, what the base's own passes need is not, and this base is small beside that.`,
    },
    {
      claim: "Full fine-tuning forgets the most",
      verdict:
        forgetsMore.length === 0 ? "borne out" : forgetsMore.length < others.length / 3 ? "in part" : "contradicted",
      figures: `\`full\` keeps ${percent(full.suite)} of the suite, from ${percent(before.suite)}; ${forgetsMore.length === 0 ? "no method keeps less" : `${named(forgetsMore)} keep less`}, by more than ${100 * NEAR} points. Each at the lowest rate of its three that learned the task best.`,
    },
  ]
}

function ofPrompts({ methods: { methods } }: StudyFigures): Finding[] {
  const soft = methods.filter(({ method }) => SOFT.includes(method))
  const others = methods.filter((each) => !soft.includes(each))
  if (soft.length === 0 || others.length === 0) return []
  const [kept, keptByOthers] = [soft, others].map((all) => mean(all.map((each) => each.suite))) as [number, number]
  return [
    {
      claim: "What leaves every weight as it is forgets the least",
      verdict: kept > keptByOthers + NEAR ? "borne out" : kept < keptByOthers - NEAR ? "contradicted" : "in part",
      figures: `with ${named(soft)} before the text the base keeps ${list(soft.map(({ suite }) => percent(suite)))} of its suite, with the other methods ${percent(keptByOthers)} on the mean. (Taken off, any adapter but a base of its own leaves the base as it was.)`,
    },
  ]
}

function ofRates({ methods: { methods } }: StudyFigures): Finding {
  // Rates that learn the task, as far as the validation questions tell.
  const learned = methods.map((each) => ({
    method: each.method,
    runs: each.rates.filter(({ validation_right }) => validation_right >= keptRun(each).validation_right - NEAR),
  }))
  const spreads = learned.map(({ method, runs }) => ({
    method,
    spread: Math.max(...runs.map(fallOf)) - Math.min(...runs.map(fallOf)),
  }))
  const widest = most(spreads, ({ spread }) => spread)
  const least = learned.map(({ runs }) => Math.min(...runs.map(fallOf)))
  const between = Math.max(...least) - Math.min(...least)
  return {
    claim: "How much is forgotten is a matter of the method",
    verdict: widest.spread > between ? "contradicted" : widest.spread > between / 2 ? "in part" : "borne out",
    figures: `between rates that learn the task alike, what \`${widest.method}\` loses differs by ${points(widest.spread)}; between the methods, each at its gentlest such rate, by ${points(between)}.`,
  }
}

function ofTasks({ tasks }: StudyFigures): Finding[] {
  const gaps = tasks.map(({ mixed, sequential }) => mean(mixed) - mean(sequential.at(-1)!))
  const of = tasks.map(
    ({ rate, mixed, sequential, backward_transfer }) =>
      `at a rate of ${rateText(rate)} ${percent(mean(mixed))} of all tasks at once and ${percent(mean(sequential.at(-1)!))} in a row, with a backward transfer of ${points(backward_transfer)}`,
  )
  return [
    {
      claim: "Tasks learned together don't unlearn one another, tasks learned in a row do",
      verdict: gaps.every((gap) => gap > NEAR)
        ? "borne out"
        : gaps.some((gap) => gap > NEAR)
          ? "in part"
          : "contradicted",
      figures: `${of.join("; ")}.`,
    },
  ]
}

function ofForgetting({ forgetting }: StudyFigures): Finding[] {
  const run = (name: string) => forgetting.find((each) => each.name === name)!
  const [plain, slower] = [run("LoRA"), run("LoRA, a third of the rate")]
  const [replay, divergence] = [run("LoRA, replay"), run("LoRA, divergence")]
  const saved = fallOf(plain) - fallOf(replay)
  const kl = fallOf(plain) - fallOf(divergence)
  return [
    {
      claim: "Replay keeps what the base knew, at no cost to the task",
      verdict:
        saved > NEAR && replay.validation_right >= plain.validation_right - NEAR
          ? "borne out"
          : saved > NEAR
            ? "in part"
            : "contradicted",
      figures: `of ${points(fallOf(plain))} lost without it, ${points(fallOf(replay))} are lost with it; the task is ${percent(plain.validation_right)} right without and ${percent(replay.validation_right)} with it. A third of the learning rate alone loses ${points(fallOf(slower))}.`,
    },
    {
      claim: "Holding the distribution near the frozen base's does the same",
      verdict: kl > saved / 2 && kl > NEAR ? "borne out" : kl > NEAR ? "in part" : "contradicted",
      figures: `\`--kl 0.1\` over the task's own rows loses ${points(fallOf(divergence))}.`,
    },
  ]
}

function ofMerging({ merging }: StudyFigures): Finding {
  const merged = merging
    .filter(({ error }) => error !== null)
    .map((each) => ({ ...each, mean: mean(Object.values(each.scores)) }))
  const best = most(merged, (each) => each.mean)
  const linear = merged.find(({ name }) => name === "linear")!
  const alone = mean(merging.filter(({ error }) => error === null).map(({ scores }, i) => Object.values(scores)[i]!))
  return {
    claim: "Adapters of two tasks can be summed into one that does both",
    verdict: best.mean >= alone - NEAR ? "borne out" : best.mean >= alone / 2 ? "in part" : "contradicted",
    figures: `the sum (\`linear\`) does ${percent(linear.mean)} of both, on the mean, \`${best.name}\` the most with ${percent(best.mean)}; each alone does ${percent(alone)} of its own.${linear.mean >= best.mean - NEAR ? " Pruning and voting (TIES, DARE) bring nothing here that the sum has not." : ""}`,
  }
}

function ofFacts({ facts: { rows } }: StudyFigures): Finding[] {
  const row = (name: string) => rows.find((each) => each.name === name)!
  const [adapter, retrieval] = [row("adapter alone"), row("retrieval alone")]
  const [both, routed] = [row("both"), row("both, where the router says so")]
  const isForm = adapter.fact.formed > 0.9 && adapter.fact.right < NEAR
  const isFact = retrieval.fact.right > 0.5 && retrieval.fact.formed < NEAR
  return [
    {
      claim: "Fine-tune for form, retrieve for facts",
      verdict: isForm && isFact && both.fact.right > 0.5 && both.fact.formed > 0.9 ? "borne out" : "in part",
      figures: `asked what only a document says, the adapter alone gives the form (${percent(adapter.fact.formed)}) and no fact (${percent(adapter.fact.right)}), documents alone the fact (${percent(retrieval.fact.right)}) and no form (${percent(retrieval.fact.formed)}), both together ${percent(both.fact.right)} facts in ${percent(both.fact.formed)} form.`,
    },
    {
      claim: "Passages hurt where none are needed, so something has to decide",
      verdict: routed.form.right - both.form.right > NEAR ? "borne out" : "contradicted",
      figures: `requests that need no document are answered right in ${percent(both.form.right)} with passages before them and in ${percent(routed.form.right)} where the router decides.`,
    },
  ]
}
