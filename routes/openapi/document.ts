/**
 * @module GET /openapi.json: the API as an OpenAPI 3.1 document, made of the schemas that requests are checked by. GET /docs
 * shows it as a page that needs nothing from elsewhere. Both are open to everybody: they say what a server can do and
 * nothing of what is on it.
 */
import { Hono } from "hono"
import { generateSpecs } from "hono-openapi"
import { type AppTypes, onlyMethods } from "../environment.ts"
import { componentSchemas, refTo } from "./components.ts"
import { describe } from "./describe.ts"
import { type ApiDocument, docsPage } from "./docs-page.ts"

/** What a browser may do for the page: show it, and nothing else. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The document's routes. @param app whose routes it tells of */
export function documentRoutes(app: Hono<AppTypes>): Hono<AppTypes> {
  let made: Promise<ApiDocument> | null = null
  const document = (): Promise<ApiDocument> => (made ??= apiDocument(app))
  const routes = new Hono<AppTypes>()
  routes.get(
    "/openapi.json",
    describe("GET /openapi.json", { tag: "Operation", summary: "This document", answer: { type: "application/json" } }),
    async (c) => c.json(await document()),
  )
  routes.all("/openapi.json", onlyMethods("GET"))
  routes.get(
    "/docs",
    describe("GET /docs", { tag: "Operation", summary: "This document as a page", answer: { type: "text/html" } }),
    async (c) => c.html(docsPage(await document()), 200, { "content-security-policy": PAGE_POLICY }),
  )
  routes.all("/docs", onlyMethods("GET"))
  return routes
}

/** The document of every described route of an app. */
async function apiDocument(app: Hono<AppTypes>): Promise<ApiDocument> {
  const document = await generateSpecs(app, {
    excludeStaticFile: false,
    documentation: {
      info: {
        title: "Espalier",
        version: "0.1.0",
        description:
          "Language models and their adapters, served and fine-tuned in one process. Chat, completions, embeddings, files and fine-tuning have OpenAI's shapes.",
      },
      security: [{ key: [] }],
      components: {
        securitySchemes: {
          key: { type: "http", scheme: "bearer", description: "An API key, where the server asks for one" },
        },
        schemas: componentSchemas(),
        responses: {
          Error: {
            description: "What is wrong, with which field, and what to do",
            content: { "application/json": { schema: refTo("Error") } },
          },
        },
      },
    },
  })
  return document as unknown as ApiDocument
}
