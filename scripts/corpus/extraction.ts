/**
 * @module Values out of a sentence: into `key: value` lines, an object, quotes.
 */
import { type CorpusDocument, type Draw, type Family, tasks, template } from "./document.ts"
import { report } from "./report.ts"

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
    const question = template(d, [
      `Find ${wanted}. ${sentence}`,
      `${sentence} Give the ${wanted}.`,
      `Take ${wanted} from this: ${sentence}`,
      `${sentence} Write down ${wanted}.`,
      `Fill in ${wanted}. ${sentence}`,
      `Note: ${sentence} Find ${wanted}.`,
      `Give ${wanted} of this note. ${sentence}`,
      `${sentence} List ${wanted}.`,
      `Please find ${wanted}. ${sentence}`,
      `List ${wanted} of this note. ${sentence}`,
    ])
    return [question, keys.map((key) => `${key}: ${values[key]}`).join("\n")]
  })

const asObject = (d: Draw): CorpusDocument =>
  tasks("json", d, 2, () => {
    const { sentence, values } = report(d)
    const keys = chosen(d, values)
    const wanted = keys.join(", ")
    const question = template(d, [
      `${sentence} Give ${wanted} as JSON.`,
      `As JSON with ${wanted}: ${sentence}`,
      `Write ${wanted} as JSON. ${sentence}`,
      `${sentence} Now write JSON with ${wanted}.`,
      `JSON with ${wanted}, please. ${sentence}`,
      `Put ${wanted} in JSON. ${sentence}`,
      `Note: ${sentence} Write it as JSON with ${wanted}.`,
      `${sentence} JSON with ${wanted}, please.`,
      `${sentence} Write ${wanted} as JSON.`,
      `Give JSON with ${wanted}. ${sentence}`,
    ])
    return [question, JSON.stringify(Object.fromEntries(keys.map((key) => [key, values[key]])))]
  })

const quoted = (d: Draw): CorpusDocument =>
  tasks("quote", d, 2, () => {
    const { sentence, values } = report(d)
    const key = d.random.pick(Object.keys(values))
    const question = template(d, [
      `Quote the ${key}. ${sentence}`,
      `${sentence} Put the ${key} in quotes.`,
      `Write the ${key} in quotes: ${sentence}`,
      `${sentence} Quote its ${key}.`,
      `Please quote the ${key}. ${sentence}`,
      `${sentence} Quote the ${key}, please.`,
      `Give the ${key} in quotes. ${sentence}`,
      `The ${key} in quotes, please. ${sentence}`,
    ])
    return [question, `"${values[key]}"`]
  })

export const extractionFamilies: readonly Family[] = [
  { name: "extraction", weight: 9, scored: true, make: keyValues },
  { name: "json", weight: 6, scored: true, make: asObject },
  { name: "quote", weight: 4, scored: true, make: quoted },
]
