/**
 * @module The examples that the page begins with: orders, written as one line of a form.
 */
const names = ["Mira", "Tom", "Ada", "Jon", "Lena", "Paul", "Nora", "Emil"]
const things = ["apples", "ropes", "hats", "keys", "books", "rings"]

/** JSON lines. */
export const startingExamples = Array.from({ length: 24 }, (_, i) => {
  const [name, thing, count] = [names[i % names.length]!, things[i % things.length]!, 2 + ((i * 7) % 11)]
  return JSON.stringify({
    prompt: `${name} bought ${count} ${thing}.`,
    completion: `order: ${count} ${thing} for ${name}`,
  })
}).join("\n")
