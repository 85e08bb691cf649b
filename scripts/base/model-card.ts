/**
 * @module The model card of the embedded base, from the facts of the run that made it.
 */

import type { Learned } from "./documents.ts"

/** Facts of a pre-training run. */
export interface BaseFacts {
  readonly seed: number
  /** Updates at which the learning rate had come down: see `PretrainingSettings`. */
  readonly steps: readonly number[]
  /**
   * The shares that the weights at those updates have in what was kept; of a base that was gone on with, its own may come
   * before them.
   */
  readonly mean: readonly number[]
  readonly rows: number
  readonly length: number
  readonly learningRate: number
  readonly parameters: number
  readonly tokens: number
  readonly learned: Learned
  /** Backend, version and threads. */
  readonly engine: string
  /** Mean loss per token on held-out documents, in nats. */
  readonly heldoutLoss: number | null
}

const learnedTokens: Readonly<Record<Learned, string>> = {
  all: "every token",
  answers: "of conversations what the assistant says, of texts every token",
  fading: "at first every token, later of most conversations what the assistant says",
}

/** README.md of the base's folder. */
export function modelCard(facts: BaseFacts): string {
  const { seed, steps, mean, rows, length, learningRate, parameters, tokens, learned, engine, heldoutLoss } = facts
  const before = steps.slice(0, -1).map((step) => step.toLocaleString("en"))
  const again = before.length === 0 ? "" : `, and before that likewise towards step ${before.join(" and ")}`
  const shares = steps.flatMap((step, i) =>
    mean[i] === 0 ? [] : [`${Math.round(mean[i]! * 100)} % of those at step ${step.toLocaleString("en")}`],
  )
  const kept = shares.length === 1 ? "" : `\n- Weights: the mean of ${shares.join(" and ")}.`
  return `# sprig

The embedded base of Espalier: a decoder in Llama's layout with ${parameters.toLocaleString("en")} parameters (hidden 192, 6 layers,
6 heads, 2 key-value heads, MLP 512, vocabulary 2,048, context 512, tied head), in f16.

- Data: simple English that \`scripts/corpus\` writes, seed ${seed}; no text of anybody else.
- Tokenizer: byte-level BPE trained on the same corpus, one token a digit, names cut into syllables.
- Training: ${steps.at(-1)!.toLocaleString("en")} steps of ${rows} x ${length} tokens (${tokens.toLocaleString("en")} in all), AdamW, peak rate ${learningRate}, constant and then linear to 0 over the last fifth${again}, by this
  project's own trainer from random weights; ${engine}.
- Learned: ${learnedTokens[learned]}. The curve is in \`curve.jsonl\`.${kept}
- Loss on held-out documents at the last step: ${heldoutLoss === null ? "not measured" : `${heldoutLoss.toFixed(3)} nats a token`}.
- Made by \`npm run make-base -- --steps ${steps} --mean ${mean} --rows ${rows} --length ${length} --learning-rate ${learningRate} --seed ${seed} --learned ${learned}\`.
${ending}`
}

/** What every card ends in, before scores are written into it. */
const ending = `- Scored by \`npm run bench -- sprig\`.

It knows a handful of facts and small skills and nothing else. It is here so that everything runs at once and offline;
it is no measure of what a method does on a real model.

Licence: MIT.
`

/**
 * README.md of a base that another was gone on with to make: that one's, with what was done since and without its scores.
 * @param card the other's
 * @param facts of the run that went on
 * @throws {SyntaxError} if it is no card of this program's
 */
export function continuedCard(card: string, facts: BaseFacts): string {
  const end = card.indexOf("- Scored by")
  if (end < 0) throw new SyntaxError('Expected a model card with a line "- Scored by"')
  const { seed, steps, mean, rows, length, learningRate, tokens, learned, engine, heldoutLoss } = facts
  const [own, ...rest] = mean.length > steps.length ? mean : [0, ...mean]
  const shares = [
    ...(own === 0 ? [] : [`${Math.round(own! * 100)} % of the base so far`]),
    ...rest.flatMap((share, i) =>
      share === 0 ? [] : [`${Math.round(share * 100)} % of those at step ${steps[i]!.toLocaleString("en")}`],
    ),
  ]
  const kept = shares.length === 1 ? "" : `\n- Weights then: the mean of ${shares.join(" and ")}.`
  return `${card.slice(0, end)}- Gone on with: ${steps.at(-1)!.toLocaleString("en")} steps of ${rows} x ${length} tokens (${tokens.toLocaleString("en")} in all), AdamW begun anew, rate from ${learningRate} down to 0, seed ${seed}, over
  passages of which all is asked, and what they leave open (the course "again" of the corpus); ${engine}.${kept}
- Loss on held-out documents then: ${heldoutLoss === null ? "not measured" : `${heldoutLoss.toFixed(3)} nats a token`}.
- Gone on with by \`npm run make-base -- --from <the base so far> --steps ${steps} --mean ${mean} --rows ${rows} --length ${length} --learning-rate ${learningRate} --seed ${seed} --learned ${learned}\`.
${ending}`
}
