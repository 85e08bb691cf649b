/**
 * @module Sentences that report something, with the values they hold.
 */
import type { Draw } from "./document.ts"
import { count, person, town } from "./names.ts"
import { capital, composed } from "./wording.ts"
import { colourNames, items, jobs } from "./words.ts"

/** A sentence with its values, in the order of the keys that are asked for. */
export interface Report {
  readonly sentence: string
  readonly values: Readonly<Record<string, string | number>>
}

/** What is done with things: in the past, and as it was done by somebody. */
const deeds = [
  "bought bought",
  "sold sold",
  "found found",
  "lost lost",
  "left left",
  "took taken",
  "saw seen",
  "made made",
  "kept kept",
  "got brought",
  "carried carried",
  "counted counted",
]
/** Slots: n name, p place, c count, i item, j job, o colour, d did, t was done. */
const deedShapes = [
  "@n @d @c @i in @p",
  "@n @d @c @i in @p",
  "in @p, @n @d @c @i",
  "in @p, @n @d @c @i",
  "@c @i were @t by @n in @p",
  "in @p, @c @i were @t by @n",
  "@n of @p @d @c @i",
  "@n @d @c @i near @p",
  "it was @n who @d @c @i in @p",
  "@n went to @p and @d @c @i",
  "there are @c @i that @n @d in @p",
  "here are the @c @i that @n @d in @p",
]
const plainShapes = [
  "@n is a @j in @p",
  "the @j @n comes from @p",
  "in @p, @n works as a @j",
  "@n of @p is a @j",
  "@n went to @p as a @j",
  "the @j of @p is called @n",
  "@n, a @j, lives in @p",
  "@n the @j has @c @i",
  "the @j @n has @c @i",
  "@n, a @j, keeps @c @i",
  "@n the @j needs @c @i",
  "@n has @c @o @i",
  "@n needs @c @o @i",
  "there are @c @o @i for @n",
  "@c @o @i are with @n",
  "a @o coat was left in @p by @n",
  "@n left a @o coat in @p",
  "in @p, @n found a @o coat",
]
const times = ["", "", "", "today ", "now ", "then ", "again ", "yes, ", "so "]

/** What the slots hold, in the order of a report's values. */
const keys = { n: "name", j: "job", i: "item", c: "count", o: "colour", p: "place" }

/** How many reports are of something done. */
const DEEDS = 0.6

/** A report of somebody who deals with things. */
export function report(d: Draw): Report {
  const { random } = d
  const slots: Record<string, string | number> = {
    n: person(d),
    j: random.pick(jobs),
    i: random.pick(items),
    c: count(d),
    o: random.pick(colourNames),
    p: town(d),
  }
  const done = random.next() < DEEDS
  const [shape, deed, time] = composed(d, "report", done ? deedShapes : plainShapes, done ? deeds : ["-"], times)
  const values = Object.fromEntries(
    Object.entries(keys).flatMap(([slot, key]) => (shape.includes(`@${slot}`) ? [[key, slots[slot]!]] : [])),
  )
  ;[slots.d, slots.t] = deed.split(" ") as [string, string]
  return { sentence: `${capital(`${time}${shape}`.replace(/@(\w)/g, (_, slot) => String(slots[slot])))}.`, values }
}
