import { describe, expect, test } from "bun:test"
import { messageOf } from "../../../src/core/errors.ts"
import { compileChatTemplate } from "../../../src/text/chat-template.ts"

const messages = [{ role: "user", content: "Hi" }]
function failure(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

const invalid = expect.objectContaining({ code: "invalid_request", param: "messages" })

describe("compileChatTemplate", () => {
  test("renders loops, conditions, filters, namespaces and macros", () => {
    const render = compileChatTemplate(
      "{%- macro turn(m) -%}[{{ m.role }}:{{ m.content | trim }}]{%- endmacro -%}" +
        "{%- set ns = namespace(n=0) -%}" +
        "{%- for m in messages if m.role != 'system' -%}{{ turn(m) }}{%- set ns.n = ns.n + 1 -%}{%- endfor -%}" +
        "{{ ns.n }}{% if add_generation_prompt %}>{% endif %}{{ range(3) | join(',') }}",
    )
    const turns = [
      { role: "system", content: "x" },
      { role: "user", content: " a " },
    ]
    expect(render({ messages: turns, add_generation_prompt: true })).toBe("[user:a]1>0,1,2")
  })

  test("breaks and continues loops as often as it likes", () => {
    const render = compileChatTemplate(
      "{% for i in range(2000) %}{% if i % 2 %}{% continue %}{% endif %}{% if i > 1500 %}{% break %}{% endif %}.{% endfor %}",
    )
    expect(render({})).toBe(".".repeat(751))
  })

  test("strips a block's newline and indentation, as Hugging Face's libraries do", () => {
    expect(compileChatTemplate("  {% if true %}\na\n  {% endif %}\nb")({})).toBe("a\nb")
  })

  test("counts up, down and in steps", () => {
    const render = (source: string) => compileChatTemplate(`{{ ${source} | join(' ') }}`)({})
    expect(render("range(2, 5)")).toBe("2 3 4")
    expect(render("range(5, 0, -2)")).toBe("5 3 1")
    expect(render("range(5, 2)")).toBe("")
  })

  test("knows today's date", () => {
    const year = compileChatTemplate("{{ strftime_now('%d %b %Y %%') }}")({})
    expect(year).toMatch(/^\d\d [A-Z][a-z]+ 20\d\d %$/)
  })

  test("reports what a template raises as an invalid request", () => {
    const render = compileChatTemplate("{{ raise_exception('Roles must alternate') }}")
    expect(() => render({ messages })).toThrow(invalid)
    expect(() => render({ messages })).toThrow("The base's chat template refused the messages: Roles must alternate")
  })

  test("refuses what is no template", () => {
    const garbled = expect.objectContaining({ code: "invalid_file" })
    expect(() => compileChatTemplate("{% for m in messages %}")).toThrow(garbled)
    expect(() => compileChatTemplate("{{ ")).toThrow(garbled)
    expect(() => compileChatTemplate("x".repeat(200_000))).toThrow("more than the 131072 allowed")
  })

  test("refuses more messages than the limit before it looks at them", () => {
    const many = Array.from({ length: 2049 }, () => messages[0])
    expect(() => compileChatTemplate("")({ messages: many })).toThrow("at most 2048 messages, found 2049")
  })

  test.each([
    ["counts far", "{% for i in range(4000000) %}{% endfor %}"],
    ["counts by nothing", "{% for i in range(0, 1, 0) %}{% endfor %}"],
    ["nests loops", "{% for i in range(5000) %}{% for j in range(5000) %}{% endfor %}{% endfor %}"],
    ["nests selected loops", "{% for i in range(5000) %}{% for j in range(5000) if true %}{% endfor %}{% endfor %}"],
    [
      "doubles a text",
      `{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`,
    ],
    [
      "doubles a list",
      `{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}`,
    ],
    ["replaces every letter by a long text", "{% set b = range(9000) | join('ab') %}{{ b | replace('a', b) }}"],
    ["replaces by a method", "{% set b = range(9000) | join('ab') %}{{ b.replace('a', b) }}"],
    ["joins with a long text", "{% set b = range(9000) | join('ab') %}{{ range(90000) | join(b) }}"],
    ["indents widely", "{% set b = range(9000) | join('\\n') %}{{ b | indent(100000) }}"],
    ["splits into too many", "{% set b = range(90000) | join('a b') %}{{ (b ~ b ~ b).split() | length }}"],
    [
      "writes out a list that holds another twice, and so on",
      `{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}`,
    ],
    [
      "writes it out without a filter",
      `{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}`,
    ],
    [
      "compares it with a text",
      `{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == 'a' }}`,
    ],
    ["calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"],
  ])("stops a template that %s", (_, source) => {
    const error = failure(() => compileChatTemplate(source)({ messages }))
    expect(error).toEqual(invalid)
    expect(messageOf(error)).toStartWith("The base's chat template can't render these messages: it ")
  })

  test("takes no list for a number, which would write it out first", () => {
    const nested = "{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
    expect(() => compileChatTemplate(`${nested}{{ range(ns.x) }}`)({ messages })).toThrow("range() takes numbers")
  })

  test("has room for the longest conversation", () => {
    const render = compileChatTemplate(
      "{% for m in messages %}{% if m.role == 'user' %}{{ '<|' + m.role + '|> ' + m.content | trim }}{% else %}" +
        "{{ raise_exception('no') }}{% endif %}{% endfor %}",
    )
    const many = Array.from({ length: 2048 }, () => ({ role: "user", content: "x".repeat(1000) }))
    expect(render({ messages: many })).toHaveLength(2048 * 1009)
  })
})
