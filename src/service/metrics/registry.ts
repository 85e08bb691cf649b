/**
 * @module Counters and histograms, and their text for Prometheus.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format (version 0.0.4)
 */

/** Labels of one series. */
export type Labels = Readonly<Record<string, string>>

/** Series of one metric at most: what comes after is counted under `other`, so that clients can't fill the memory. */
const MOST_SERIES = 1000

/** Anything that a scrape shows. */
export interface Metric {
  /** Lines of the exposition format, without its end. */
  lines(): string[]
}

/** Which series a set of labels belongs to. */
class Series<Value> {
  readonly #values = new Map<string, Value>()
  readonly #make: () => Value

  constructor(make: () => Value) {
    this.#make = make
  }

  at(labels: Labels): Value {
    const key = keyOf(labels)
    const known = this.#values.get(key)
    if (known !== undefined) return known
    if (this.#values.size >= MOST_SERIES) {
      const other = keyOf(Object.fromEntries(Object.keys(labels).map((name) => [name, "other"])))
      return this.#values.get(other) ?? this.#put(other)
    }
    return this.#put(key)
  }

  #put(key: string): Value {
    const value = this.#make()
    this.#values.set(key, value)
    return value
  }

  entries(): IterableIterator<[string, Value]> {
    return this.#values.entries()
  }
}

/** A number that only grows. */
export class Counter implements Metric {
  readonly #name: string
  readonly #help: string
  readonly #series = new Series(() => ({ value: 0 }))

  constructor(name: string, help: string) {
    this.#name = name
    this.#help = help
  }

  add(labels: Labels, amount = 1): void {
    this.#series.at(labels).value += amount
  }

  lines(): string[] {
    return [
      ...headOf(this.#name, this.#help, "counter"),
      ...[...this.#series.entries()].map(([labels, { value }]) => `${this.#name}${braces(labels)} ${value}`),
    ]
  }
}

/** How often what sizes came. */
export class Histogram implements Metric {
  readonly #name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  readonly #series: Series<{ readonly counts: number[]; sum: number; count: number }>

  /** @param bounds upper ends of the buckets, growing */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name
    this.#help = help
    this.#bounds = bounds
    this.#series = new Series(() => ({ counts: bounds.map(() => 0), sum: 0, count: 0 }))
  }

  observe(labels: Labels, value: number): void {
    const series = this.#series.at(labels)
    const bucket = this.#bounds.findIndex((bound) => value <= bound)
    if (bucket >= 0) series.counts[bucket]!++
    series.sum += value
    series.count++
  }

  lines(): string[] {
    const lines = headOf(this.#name, this.#help, "histogram")
    for (const [labels, { counts, sum, count }] of this.#series.entries()) {
      let below = 0
      for (const [i, bound] of this.#bounds.entries()) {
        below += counts[i]!
        lines.push(`${this.#name}_bucket${braces(labels, `le="${bound}"`)} ${below}`)
      }
      lines.push(`${this.#name}_bucket${braces(labels, 'le="+Inf"')} ${count}`)
      lines.push(`${this.#name}_sum${braces(labels)} ${sum}`, `${this.#name}_count${braces(labels)} ${count}`)
    }
    return lines
  }
}

/** A number that is asked for at each scrape. */
export const gauge = (name: string, help: string, value: number): Metric => ({
  lines: () => [...headOf(name, help, "gauge"), `${name} ${value}`],
})

/** Numbers that are asked for at each scrape, each with its labels. */
export const gauges = (name: string, help: string, rows: readonly (readonly [Labels, number])[]): Metric => ({
  lines: () => [
    ...headOf(name, help, "gauge"),
    ...rows.map(([labels, value]) => `${name}${braces(keyOf(labels))} ${value}`),
  ],
})

/** The text of a scrape. */
export const exposition = (metrics: readonly Metric[]): string =>
  `${metrics.flatMap((metric) => metric.lines()).join("\n")}\n`

const headOf = (name: string, help: string, type: string): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
]

/** `a="1",b="2"`, as it stands between braces. */
const keyOf = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (sign) => (sign === "\n" ? "\\n" : `\\${sign}`))}"`)
    .join(",")

const braces = (labels: string, more = ""): string => {
  const all = [labels, more].filter((part) => part !== "").join(",")
  return all === "" ? "" : `{${all}}`
}
