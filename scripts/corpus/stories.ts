/**
 * @module Plain text: short stories and descriptions of a few sentences.
 */
import { type CorpusDocument, type Draw, type Family, joined, template } from "./document.ts"
import { count, different, person, river, town } from "./names.ts"
import { peopleRelations } from "./people.ts"
import { statement } from "./statements.ts"
import { townRelations } from "./towns.ts"
import {
  adjectives,
  animalNames,
  colourNames,
  days,
  foods,
  items,
  jobs,
  months,
  places,
  things,
  verbs,
} from "./words.ts"

function story(d: Draw): CorpusDocument {
  const { random: r } = d
  const hero = person(d)
  const friend = person(d)
  const home = town(d)
  const place = r.pick(places)
  const thing = r.pick(things)
  const look = r.pick(adjectives)
  const food = r.pick(foods)
  const animal = r.pick(animalNames)
  const opening = template(d, [
    `One ${r.pick(days)}, ${hero} went to the ${place} in ${home}.`,
    `${hero} lived in ${home}, near the ${place}.`,
    `In ${home} there was a ${look} ${place}. ${hero} liked it.`,
    `${hero} and ${friend} walked through ${home}.`,
    `It was ${r.pick(days)}. ${hero} was at home in ${home}.`,
    `The ${place} in ${home} was ${look} that day. ${hero} was there.`,
    `In ${r.pick(months)}, ${hero} moved to ${home} to work as a ${r.pick(jobs)}.`,
    `A ${look} ${animal} lived at the ${place} in ${home}. ${hero} knew it well.`,
    `One day ${hero} and ${friend} were near the ${place} in ${home}.`,
    `It was a ${r.pick(adjectives)} day in ${home}. ${hero} was at the ${place}.`,
  ])
  const middle = template(d, [
    `There ${hero} ${r.pick(verbs)} a ${look} ${thing}.`,
    `${hero} saw a ${r.pick(colourNames)} ${thing} and ${r.pick(verbs)} it.`,
    `"Look, a ${thing}!" said ${hero}. ${friend} came to see it.`,
    `${friend} ${r.pick(verbs)} the ${thing} for ${hero}.`,
    `"Where is the ${thing}?" asked ${hero}. It was in the ${place}.`,
    `There was a ${thing}. It was very ${look}.`,
    `The ${animal} ran away with the ${thing} of ${friend}.`,
    `"How many ${r.pick(items)} do you have?" asked ${friend}. "I have ${count(d)}," said ${hero}.`,
    `They saw a ${look} ${thing}, and ${friend} ${r.pick(verbs)} it.`,
    `A ${thing} was there. It was ${look}.`,
  ])
  const end = template(d, [
    `Then they ate ${food} together.`,
    `After that ${hero} went home to eat ${food}.`,
    `${friend} was ${r.pick(adjectives)}, and so was ${hero}.`,
    `"Thank you, ${friend}," said ${hero}.`,
    `In the evening they went home.`,
    `${hero} told ${friend} a story about the ${thing}.`,
    `After that they were ${r.pick(adjectives)}.`,
    `In the evening ${hero} told ${friend} about the ${thing}.`,
  ])
  return { kind: "story", text: `${opening} ${middle} ${end}` }
}

function description(d: Draw): CorpusDocument {
  const { random: r } = d
  if (r.next() < 0.5) {
    const name = person(d)
    const said = r.shuffle([...peopleRelations]).slice(0, 2 + r.below(3))
    return { kind: "description", text: said.map((relation) => statement(d, relation, name).sentence).join(" ") }
  }
  const name = town(d)
  const said = r.shuffle([...townRelations]).slice(0, 2 + r.below(2))
  const things = joined(different(2 + r.below(2), () => r.pick(places)))
  const more = template(d, [
    `There are a ${things} in ${name}.`,
    `In ${name} you can find a ${things}.`,
    `The ${r.pick(places)} of ${name} is ${r.pick(adjectives)} and ${r.pick(adjectives)}.`,
    `The road from ${name} to ${town(d)} goes along the ${river(d)}.`,
    `You can find a ${things} in ${name}.`,
  ])
  return {
    kind: "description",
    text: [...said.map((relation) => statement(d, relation, name).sentence), more].join(" "),
  }
}

export const storyFamilies: readonly Family[] = [
  { name: "story", weight: 4, scored: false, make: story },
  { name: "description", weight: 3, scored: false, make: description },
]
