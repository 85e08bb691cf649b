/**
 * @module A conversation of several turns: orders are noted one by one, then read back, which takes what was said turns
 * ago: `messages` rows.
 */
import { template } from "../corpus/document.ts"
import { different, person } from "../corpus/names.ts"
import { items } from "../corpus/words.ts"
import { count, type ExampleSet } from "./example-set.ts"

export const turnsOrder: ExampleSet = {
  name: "turns-order",
  trainRows: 240,
  heldoutRows: 60,
  row(d) {
    const names = different(2 + d.random.below(2), () => person(d))
    const orders = names.map((name) => ({ name, goods: `${count(d)} ${d.random.pick(items)}` }))
    const messages = orders.flatMap(({ name, goods }, i) => [
      {
        role: "user",
        content: template(d, [
          `${name} wants ${goods}.`,
          `Bring ${goods} to ${name}.`,
          `${name} asked for ${goods}.`,
          `${goods} for ${name}.`,
          `We need ${goods} for ${name}.`,
          `${name} needs ${goods}.`,
          `Send ${goods} to ${name}.`,
          `Bring ${name} ${goods}.`,
          // Held out from here on.
          `Send ${name} ${goods}.`,
          `${goods} to ${name}.`,
        ]),
      },
      { role: "assistant", content: `Order ${i + 1} noted.` },
    ])
    messages.push(
      {
        role: "user",
        content: template(d, [
          "Read the orders.",
          "Say the orders again.",
          "Name all orders.",
          "Give me the orders.",
          "List all orders.",
        ]),
      },
      {
        role: "assistant",
        content: orders.map(({ name, goods }, i) => `Order ${i + 1}: ${goods}, ${name}.`).join(" "),
      },
    )
    return { messages }
  },
}
