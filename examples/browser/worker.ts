/**
 * @module The Worker of the example page: everything that computes happens here, so that the page stays quick.
 */
import { type BrowserEspalier, EspalierError, openInBrowser } from "../../src/entry/browser.ts"
import type { Answer, Opened, Question, TrainedZip } from "./messages.ts"

/** This thread, as a dedicated Worker has it. */
const scope = globalThis as unknown as {
  onmessage: ((event: { readonly data: Question }) => void) | null
  postMessage(answer: Answer): void
}

let espalier: BrowserEspalier | null = null
let running: AbortController | null = null

async function answer(question: Question): Promise<unknown> {
  const { id } = question
  if (question.kind === "stop") return running?.abort()
  if (question.kind === "open") {
    const opened = await openInBrowser({
      base: new URL("models/sprig/", globalThis.location.href).href,
      engineUrl: new URL("engine/", globalThis.location.href).href,
      backend: question.backend,
    })
    for (const [name, zip] of question.adapters) await opened.importAdapter(name, zip)
    espalier = opened
    return opened.info satisfies Opened
  }
  if (!espalier) throw new Error("The base is not open yet")
  running = new AbortController()
  const { signal } = running
  if (question.kind === "train") {
    const { name, method, examples, epochs, learningRate } = question
    const { training } = await espalier.train(
      { ...{ name, method, epochs, seed: 1 }, examples: [...examples], learning_rate: learningRate },
      {
        signal,
        onEvent(event) {
          if (event.type !== "step-end") return
          scope.postMessage({ id, kind: "step", step: event.step, steps: event.steps, loss: event.loss })
        },
      },
    )
    const { first_loss: firstLoss, last_loss: lastLoss } = training
    return { firstLoss, lastLoss, zip: espalier.exportAdapter(name) } satisfies TrainedZip
  }
  const { adapter, text } = question
  const messages = [{ role: "user", content: text }]
  for await (const piece of espalier.chat({ messages, adapter, maxTokens: 64, signal }))
    scope.postMessage({ id, kind: "piece", text: piece })
  return null
}

scope.onmessage = ({ data }) => {
  answer(data).then(
    (value) => scope.postMessage({ id: data.id, kind: "done", value: value ?? null }),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      const code = error instanceof EspalierError ? error.code : "internal"
      scope.postMessage({ id: data.id, kind: "failed", message, code })
    },
  )
}
