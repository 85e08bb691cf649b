/**
 * @module The example page: its fields, its loss curve and its conversation. What computes is in `worker.ts`.
 */
import { lossCurve } from "./curve.ts"
import type { Answer, Asked } from "./messages.ts"
import { startingExamples } from "./starting-examples.ts"

const at = <T extends Element>(id: string): T => {
  const element = document.getElementById(id)
  if (!element) throw new TypeError(`The page has no element ${id}`)
  return element as unknown as T
}
const status = at<HTMLElement>("status")
const progress = at<HTMLElement>("progress")
const log = at<HTMLElement>("log")
const backend = at<HTMLSelectElement>("backend")
const adapter = at<HTMLSelectElement>("adapter")
const examples = at<HTMLTextAreaElement>("examples")
const nameField = at<HTMLInputElement>("name")
const buttons = {
  train: at<HTMLButtonElement>("train"),
  export: at<HTMLButtonElement>("export"),
  send: at<HTMLButtonElement>("send"),
}
const stop = at<HTMLButtonElement>("stop")

const worker = new Worker(new URL("worker.js", location.href), { type: "module" })
const waiting = new Map<number, (answer: Answer) => void>()
worker.onmessage = ({ data }: MessageEvent<Answer>) => waiting.get(data.id)?.(data)
worker.onerror = (event) => {
  status.textContent = `The Worker failed: ${event.message}`
}

let asked = 0
/** Asks the Worker. @param on gets the answers before the last */
function ask(question: Asked, on: (answer: Answer) => void = () => {}): Promise<unknown> {
  const id = asked++
  return new Promise((resolve, reject) => {
    waiting.set(id, (answer) => {
      if (answer.kind !== "done" && answer.kind !== "failed") return on(answer)
      waiting.delete(id)
      if (answer.kind === "done") resolve(answer.value)
      else reject(new Error(answer.message))
    })
    worker.postMessage({ ...question, id })
  })
}

/** What was trained since the base was opened. */
const trained = new Set<string>()
function showAdapters(chosen: string | null): void {
  adapter.replaceChildren(
    ...["", ...trained].map((name) => {
      const option = new Option(name === "" ? "the base" : name, name)
      option.selected = name === (chosen ?? "")
      return option
    }),
  )
}

/** Does something with every button off, and says what went wrong. */
async function busy(work: () => Promise<void>): Promise<void> {
  for (const button of Object.values(buttons)) button.disabled = true
  stop.disabled = false
  backend.disabled = true
  try {
    await work()
  } catch (error) {
    progress.textContent = error instanceof Error ? error.message : String(error)
  }
  stop.disabled = true
  backend.disabled = false
  buttons.train.disabled = buttons.send.disabled = false
  buttons.export.disabled = trained.size === 0
}

const open = (): Promise<void> =>
  busy(async () => {
    status.textContent = "Opening the base …"
    trained.clear()
    log.replaceChildren()
    showAdapters(null)
    const started = performance.now()
    try {
      const info = (await ask({ kind: "open", backend: backend.value as "wasm" | "webgpu" })) as {
        readonly base: string
        readonly backend: string
      }
      status.textContent = `${info.base} on ${info.backend}, ready after ${((performance.now() - started) / 1000).toFixed(1)} s`
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error)
    }
  })

/** @throws {Error} Naming the first line that is no JSON object. */
function rows(): Readonly<Record<string, unknown>>[] {
  return examples.value
    .split("\n")
    .map((line, i) => [line.trim(), i + 1] as const)
    .filter(([line]) => line !== "")
    .map(([line, number]) => {
      try {
        return JSON.parse(line) as Record<string, unknown>
      } catch {
        throw new Error(`Line ${number} of the examples is not valid JSON`)
      }
    })
}

buttons.train.onclick = () =>
  busy(async () => {
    const name = nameField.value.trim()
    const rate = at<HTMLInputElement>("rate").value.trim()
    const curve = lossCurve(at("curve"))
    const started = performance.now()
    const card = (await ask(
      {
        ...{ kind: "train", name, examples: rows() },
        method: at<HTMLSelectElement>("method").value,
        epochs: Number(at<HTMLInputElement>("epochs").value),
        learningRate: rate === "" ? null : Number(rate),
      },
      (answer) => {
        if (answer.kind !== "step") return
        curve.add(answer.step, answer.steps, answer.loss)
        progress.textContent = `Step ${answer.step} of ${answer.steps}, loss ${answer.loss.toFixed(3)}`
      },
    )) as { readonly training: { readonly first_loss: number; readonly last_loss: number }; readonly bytes: number }
    trained.add(name)
    showAdapters(name)
    const { first_loss: first, last_loss: last } = card.training
    progress.textContent = `Trained "${name}" in ${((performance.now() - started) / 1000).toFixed(1)} s: loss ${first.toFixed(3)} to ${last.toFixed(3)}, ${(card.bytes / 1000).toFixed(0)} kB`
  })

stop.onclick = () => void ask({ kind: "stop" })

buttons.export.onclick = () =>
  busy(async () => {
    const name = adapter.value || [...trained].at(-1)!
    const zip = (await ask({ kind: "export", name })) as Uint8Array<ArrayBuffer>
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([zip], { type: "application/zip" }))
    link.download = `${name}.zip`
    link.click()
    URL.revokeObjectURL(link.href)
  })

at<HTMLFormElement>("chat").onsubmit = (event) => {
  event.preventDefault()
  const field = at<HTMLInputElement>("text")
  const text = field.value.trim()
  if (text === "" || buttons.send.disabled) return
  field.value = ""
  const line = (kind: string, content: string): HTMLElement => {
    const paragraph = document.createElement("p")
    paragraph.className = kind
    paragraph.textContent = content
    log.append(paragraph)
    log.scrollTop = log.scrollHeight
    return paragraph
  }
  line("asked", text)
  const said = line("said", "")
  void busy(async () => {
    await ask({ kind: "chat", adapter: adapter.value === "" ? null : adapter.value, text }, (answer) => {
      if (answer.kind === "piece") said.textContent += answer.text
    })
    said.dataset["whole"] = "true"
  })
}

backend.onchange = () => void open()
examples.value = startingExamples
void open()
