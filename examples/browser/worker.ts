/**
 * @module The Worker of the example page: everything that computes happens here, so that the page stays quick.
 */
import { type BrowserEspalier, openInBrowser } from "../../src/entry/browser.ts"
import type { Answer, Question } from "./messages.ts"

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
    await espalier?.close()
    espalier = await openInBrowser({
      base: new URL("models/sprig/", globalThis.location.href).href,
      engineUrl: new URL("engine/", globalThis.location.href).href,
      backend: question.backend,
    })
    return espalier.info
  }
  if (!espalier) throw new Error("The base is not open yet")
  if (question.kind === "export") return espalier.exportAdapter(question.name)
  running = new AbortController()
  const { signal } = running
  if (question.kind === "train") {
    const { name, method, examples, epochs, learningRate } = question
    return espalier.train(
      { ...{ name, method, epochs, seed: 1 }, examples: [...examples], learning_rate: learningRate },
      {
        signal,
        onEvent(event) {
          if (event.type !== "step-end") return
          scope.postMessage({ id, kind: "step", step: event.step, steps: event.steps, loss: event.loss })
        },
      },
    )
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
      scope.postMessage({ id: data.id, kind: "failed", message })
    },
  )
}
