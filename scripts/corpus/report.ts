/**
 * @module Sentences that report something, with the values they hold.
 */
import { type Draw, template } from "./document.ts"
import { count, person, town } from "./names.ts"
import { colourNames, items, jobs } from "./words.ts"

/** A sentence with its values, in the order of the keys that are asked for. */
export interface Report {
  readonly sentence: string
  readonly values: Readonly<Record<string, string | number>>
}

/** A report of somebody who deals with things. */
export function report(d: Draw): Report {
  const name = person(d)
  const place = town(d)
  const n = count(d)
  const item = d.random.pick(items)
  const job = d.random.pick(jobs)
  const colour = d.random.pick(colourNames)
  const goods = { name, item, count: n, place }
  const work = { name, job, place }
  return template<() => Report>(d, [
    () => ({ sentence: `${name} bought ${n} ${item} in ${place}.`, values: goods }),
    () => ({ sentence: `${name} sold ${n} ${item} in ${place}.`, values: goods }),
    () => ({ sentence: `In ${place}, ${name} found ${n} ${item}.`, values: goods }),
    () => ({ sentence: `${n} ${item} were sent to ${name} in ${place}.`, values: goods }),
    () => ({ sentence: `${name} is a ${job} in ${place}.`, values: work }),
    () => ({ sentence: `The ${job} ${name} comes from ${place}.`, values: work }),
    () => ({ sentence: `${name} the ${job} has ${n} ${item}.`, values: { name, job, item, count: n } }),
    () => ({ sentence: `${name} has ${n} ${colour} ${item}.`, values: { name, item, count: n, colour } }),
    () => ({ sentence: `A ${colour} coat was left in ${place} by ${name}.`, values: { name, colour, place } }),
    () => ({ sentence: `In ${place}, ${n} ${item} were lost by ${name}.`, values: goods }),
    () => ({ sentence: `${name} took ${n} ${item} home to ${place}.`, values: goods }),
    () => ({ sentence: `${name} carried ${n} ${item} through ${place}.`, values: goods }),
    () => ({ sentence: `${n} ${item} were found by ${name} in ${place}.`, values: goods }),
    () => ({ sentence: `Bring ${n} ${item} to ${name} in ${place}.`, values: goods }),
    () => ({ sentence: `In ${place}, ${name} works as a ${job}.`, values: work }),
    () => ({ sentence: `${name} moved ${n} ${item} to ${place}.`, values: goods }),
    () => ({ sentence: `${name} took ${n} ${item} from ${place}.`, values: goods }),
    () => ({ sentence: `In ${place}, ${n} ${item} were sold by ${name}.`, values: goods }),
    () => ({ sentence: `In ${place}, ${name} sold ${n} ${item}.`, values: goods }),
    () => ({ sentence: `${name} found ${n} ${item} in ${place}.`, values: goods }),
  ])()
}
