/**
 * @module The API document as one page of HTML, without scripts and without anything from elsewhere: servers may be
 * offline.
 */
import { html, raw } from "hono/html"
import type { HtmlEscapedString } from "hono/utils/html"

/** A JSON schema, as far as the page shows it. */
export interface SchemaFacts {
  readonly $ref?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, SchemaFacts>>
  readonly required?: readonly string[]
  readonly items?: SchemaFacts
  readonly additionalProperties?: SchemaFacts | boolean
  readonly anyOf?: readonly SchemaFacts[]
  readonly oneOf?: readonly SchemaFacts[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly description?: string
}

/** What is sent or answered, by its type. */
type Content = Readonly<Record<string, { readonly schema: SchemaFacts }>>

/** A route in the document. */
export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly security: readonly object[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema: SchemaFacts
  }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: Content }>>
}

/** The API document, as far as it is read here. */
export interface ApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, SchemaFacts>> }
}

type Markup = HtmlEscapedString | Promise<HtmlEscapedString>

const style = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
summary{cursor:pointer;padding:.3rem 0}
summary code{font-weight:600}
details{border-bottom:1px solid #8884;padding:.2rem 0}
details>:not(summary){margin-left:1.5rem}
table{border-collapse:collapse}
td{padding:.1rem 1rem .1rem 0;vertical-align:top}
td:last-child,small{opacity:.75}`

/** The page. */
export function docsPage({ info, paths, components }: ApiDocument): Markup {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const tags = [...new Set(operations.flatMap(({ operation }) => operation.tags))]
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${info.title} API</title><style>${raw(style)}</style></head>
<body>
<h1>${info.title} API</h1>
<p>${info.description}</p>
<p>For programs: <a href="openapi.json">openapi.json</a>.</p>
${tags.map(
  (tag) => html`<h2>${tag}</h2>
${operations.filter(({ operation }) => operation.tags.includes(tag)).map(operationMarkup)}`,
)}
<h2>Bodies</h2>
${Object.entries(components.schemas).map(
  ([name, schema]) => html`<details id="${name}"><summary><code>${name}</code></summary>${fields(schema)}</details>
`,
)}
</body>
</html>
`
}

function operationMarkup(given: {
  readonly path: string
  readonly method: string
  readonly operation: Operation
}): Markup {
  const { summary, description, parameters = [], requestBody, responses, operationId } = given.operation
  return html`<details id="${operationId}"><summary><code>${given.method} ${given.path}</code> ${summary}</summary>
<p>${description}</p>
<table>
${parameters.map(
  ({ name, in: place, required, schema }) =>
    html`<tr><td><code>${name}</code></td><td>${place}${required ? "" : ", optional"}</td><td>${shape(schema)}</td></tr>`,
)}
${contentRows("takes", requestBody?.content)}
${Object.entries(responses).map(([status, { content, $ref }]) =>
  contentRows(
    status === "default" ? "otherwise" : `answers ${status}`,
    content ?? ($ref === undefined ? undefined : { "application/json": { schema: { $ref } } }),
  ),
)}
</table></details>
`
}

const contentRows = (what: string, content: Content = {}): Markup[] =>
  Object.entries(content).map(
    ([type, { schema }]) => html`<tr><td>${what}</td><td>${type}</td><td>${shape(schema)}</td></tr>`,
  ) as Markup[]

/** An object's fields as rows; of anything else its shape. */
function fields(schema: SchemaFacts): Markup {
  if (schema.properties === undefined) return html`<p>${shape(schema)}</p>`
  return html`<table>${Object.entries(schema.properties).map(
    ([name, each]) =>
      html`<tr><td><code>${name}</code></td><td>${schema.required?.includes(name) ? "" : "optional"}</td><td>${shape(each)}</td></tr>
`,
  )}</table>`
}

/** A schema in a few words; what has a name is linked. */
function shape(schema: SchemaFacts): Markup {
  const { $ref, type, properties, items, anyOf, oneOf, minimum, maximum, description } = schema
  if ($ref !== undefined) {
    const name = $ref.split("/").at(-1)!
    return html`<a href="#${name}">${name}</a>`
  }
  if (description !== undefined && properties === undefined) return html`${type}: ${description}`
  if (schema.enum !== undefined) return html`${schema.enum.map((each) => JSON.stringify(each)).join(" | ")}`
  if ("const" in schema) return html`${JSON.stringify(schema.const)}`
  const alternatives = anyOf ?? oneOf
  const suffix = schema.default === undefined ? "" : ` = ${JSON.stringify(schema.default)}`
  if (alternatives !== undefined) {
    return html`${alternatives.map((each, i) => html`${i === 0 ? "" : " | "}${shape(each)}`)}${suffix}`
  }
  if (items !== undefined) return html`list of (${shape(items)})`
  if (properties !== undefined) {
    return html`{${Object.entries(properties).map(
      ([name, each], i) =>
        html`${i === 0 ? "" : ", "}${name}${schema.required?.includes(name) ? "" : "?"}: ${shape(each)}`,
    )}}`
  }
  const bounds = minimum === undefined && maximum === undefined ? "" : ` ${minimum ?? ""} to ${maximum ?? ""}`
  return html`${type ?? "anything"}${bounds}${suffix}`
}
