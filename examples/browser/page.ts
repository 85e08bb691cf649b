/**
 * @module The example page: its fields, its loss curve and its conversation. What computes is in `worker.ts`.
 */
import { lossCurve } from "./curve.ts"
import type { Answer, Asked, Opened, TrainedZip } from "./messages.ts"
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

/** What a question failed by. */
class Refusal extends Error {
  /** Whether a new Worker may do better: the GPU was lost, memory has ended, or the Worker itself. */
  readonly isWorkers: boolean

  constructor(message: string, isWorkers: boolean) {
    super(message)
    this.isWorkers = isWorkers
  }
}

/** The Worker of now. Each base is opened in a new one: an engine that is done with keeps its memory. */
let worker: Worker | null = null
const waiting = new Map<number, { on(answer: Answer): void; fail(error: Error): void }>()

function startWorker(): void {
  worker?.terminate()
  for (const { fail } of waiting.values()) fail(new Error("The engine was changed"))
  waiting.clear()
  worker = new Worker(new URL("worker.js", location.href), { type: "module" })
  worker.onmessage = ({ data }: MessageEvent<Answer>) => waiting.get(data.id)?.on(data)
  worker.onerror = ({ message }) => {
    for (const { fail } of waiting.values()) fail(new Refusal(`The Worker failed: ${message ?? "it ended"}`, true))
    waiting.clear()
  }
}

let asked = 0
/** Asks the Worker. @param on gets the answers before the last */
function ask(question: Asked, on: (answer: Answer) => void = () => {}): Promise<unknown> {
  const id = asked++
  return new Promise((resolve, reject) => {
    waiting.set(id, {
      fail: reject,
      on(answer) {
        if (answer.kind !== "done" && answer.kind !== "failed") return on(answer)
        waiting.delete(id)
        if (answer.kind === "done") resolve(answer.value)
        else reject(new Refusal(answer.message, answer.code === "unavailable"))
      },
    })
    worker?.postMessage({ ...question, id })
  })
}

/** What was trained, as zip files by their names: it outlives an engine. */
const trained = new Map<string, Uint8Array<ArrayBuffer>>()
/** Of those what nobody has downloaded. */
const unsaved = new Set<string>()
function showAdapters(chosen: string | null): void {
  adapter.replaceChildren(
    ...["", ...trained.keys()].map((name) => {
      const option = new Option(name === "" ? "the base" : name, name)
      option.selected = name === (chosen ?? "")
      return option
    }),
  )
}

/** Whether a base is open. */
let isOpen = false
/** Whether something is being learned, which closing the page would end. */
let isTraining = false

/** Does something with every button off, and says what went wrong. */
async function busy(work: () => Promise<void>): Promise<void> {
  for (const button of Object.values(buttons)) button.disabled = true
  stop.disabled = false
  backend.disabled = true
  try {
    await work()
  } catch (error) {
    progress.textContent = error instanceof Error ? error.message : String(error)
    if (error instanceof Refusal && error.isWorkers) await openBase()
  }
  isTraining = false
  stop.disabled = true
  backend.disabled = false
  buttons.train.disabled = buttons.send.disabled = !isOpen
  buttons.export.disabled = trained.size === 0
}

/** Opens the base in a new Worker, with what was trained before. */
async function openBase(): Promise<void> {
  status.textContent = "Opening the base …"
  isOpen = false
  const chosen = adapter.value
  const started = performance.now()
  try {
    startWorker()
    const on = backend.value as "wasm" | "webgpu"
    const info = (await ask({ kind: "open", backend: on, adapters: trained })) as Opened
    isOpen = true
    showAdapters(chosen)
    status.textContent = `${info.base} on ${info.backend}, ready after ${((performance.now() - started) / 1000).toFixed(1)} s`
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error)
  }
}

const open = (): Promise<void> =>
  busy(async () => {
    log.replaceChildren()
    await openBase()
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
    isTraining = true
    const { firstLoss, lastLoss, zip } = (await ask(
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
    )) as TrainedZip
    trained.set(name, zip)
    unsaved.add(name)
    showAdapters(name)
    const [first, last] = [firstLoss, lastLoss].map((loss) => loss?.toFixed(3) ?? "none")
    progress.textContent = `Trained "${name}" in ${((performance.now() - started) / 1000).toFixed(1)} s: loss ${first} to ${last}, ${(zip.length / 1000).toFixed(0)} kB`
  })

stop.onclick = () => void ask({ kind: "stop" })

buttons.export.onclick = () => {
  const name = adapter.value || [...trained.keys()].at(-1)!
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([trained.get(name)!], { type: "application/zip" }))
  link.download = `${name}.zip`
  link.click()
  URL.revokeObjectURL(link.href)
  unsaved.delete(name)
}

// Nothing is kept anywhere but in this page: closing it ends a training, and what was trained is gone.
addEventListener("beforeunload", (event) => {
  if (isTraining || unsaved.size > 0) event.preventDefault()
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
