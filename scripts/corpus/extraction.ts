/**
 * @module Values out of a sentence: into `key: value` lines, an object, quotes.
 */
import { type CorpusDocument, type Draw, type Family, tasks } from "./document.ts"
import { report } from "./report.ts"
import { task } from "./wording.ts"

/** Some keys of a report, as often as not in the order of the report. */
function chosen(d: Draw, values: Readonly<Record<string, unknown>>): string[] {
  const all = Object.keys(values)
  const keys = d.random.shuffle([...all]).slice(0, 1 + d.random.below(all.length))
  return d.random.next() < 0.5 ? all.filter((key) => keys.includes(key)) : keys
}

const keyValues = (d: Draw): CorpusDocument =>
  tasks("extraction", d, 2, () => {
    const { sentence, values } = report(d)
    const keys = chosen(d, values)
    const wanted = keys.join(", ")
    const question = task(
      d,
      "extraction",
      [
        "find _",
        "give _",
        "give the _",
        "take _",
        "write down _",
        "fill in _",
        "list _",
        "name the _",
        "say _",
        "show _",
      ],
      sentence,
      (command) => command.replace("_", wanted),
    )
    return [question, keys.map((key) => `${key}: ${values[key]}`).join("\n")]
  })

const asObject = (d: Draw): CorpusDocument =>
  tasks("json", d, 2, () => {
    const { sentence, values } = report(d)
    const keys = chosen(d, values)
    const wanted = keys.join(", ")
    const question = task(
      d,
      "json",
      [
        "give _ as JSON",
        "write _ as JSON",
        "write JSON with _",
        "put _ in JSON",
        "make JSON with _",
        "answer with JSON of _",
        "list _ as JSON",
        "show JSON with _",
      ],
      sentence,
      (command) => command.replace("_", wanted),
    )
    return [question, JSON.stringify(Object.fromEntries(keys.map((key) => [key, values[key]])))]
  })

const quoted = (d: Draw): CorpusDocument =>
  tasks("quote", d, 2, () => {
    const { sentence, values } = report(d)
    const key = d.random.pick(Object.keys(values))
    const question = task(
      d,
      "quote",
      [
        "quote the _",
        "put the _ in quotes",
        "write the _ in quotes",
        "give the _ in quotes",
        "say the _ in quotes",
        "quote its _",
        "show its _ in quotes",
        "name the _ in quotes",
      ],
      sentence,
      (command) => command.replace("_", key),
    )
    return [question, `"${values[key]}"`]
  })

export const extractionFamilies: readonly Family[] = [
  { name: "extraction", weight: 9, scored: true, make: keyValues },
  { name: "json", weight: 6, scored: true, make: asObject },
  { name: "quote", weight: 5, scored: true, make: quoted },
]
