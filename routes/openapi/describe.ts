/**
 * @module What a route takes and gives: said once beside the route, for the API document and for the typed client.
 */
import type { MiddlewareHandler } from "hono"
import { type DescribeRouteOptions, describeRoute } from "hono-openapi"
import type * as v from "valibot"
import type { AppTypes } from "../environment.ts"
import { type Route, routeScopes } from "../scopes.ts"
import {
  type BodyName,
  type bodies,
  type QueryName,
  type queries,
  queryParameters,
  type ResultName,
  refTo,
} from "./components.ts"

/** A part of the API. */
export type Tag = "Text" | "Models" | "Adapters" | "Files" | "Fine-tuning" | "Documents" | "Operation"

/** A route in the document. */
export interface RouteFacts<B extends BodyName, Q extends QueryName> {
  readonly tag: Tag
  /** One line. */
  readonly summary: string
  readonly description?: string
  readonly body?: B
  readonly query?: Q
  /** What a form holds, where the route takes one beside or instead of JSON. */
  readonly form?: Readonly<Record<string, string>>
  /** What a good answer is: a body by its name, or text of this type. */
  readonly answer: ResultName | { readonly type: string }
  /** @default {200} */
  readonly status?: 200 | 201
  /** What a chunk of its stream of events is, where the route can stream. */
  readonly stream?: ResultName
  /** Whether it takes an Idempotency-Key. @default {false} */
  readonly once?: boolean
}

/** The key of what is made once, however often it is sent. */
const onceParameter = {
  name: "Idempotency-Key",
  in: "header" as const,
  description:
    "Sent again with it within 24 hours, the request is answered as it was the first time and nothing is done",
  schema: { type: "string" as const, minLength: 1, maxLength: 255 },
}

/** Types of a request, for `hc`. */
type RequestTypes<B extends BodyName, Q extends QueryName, F extends object> = [B | Q | F] extends [never]
  ? Nothing
  : {
      in: object &
        ([B] extends [never] ? unknown : { json: v.InferInput<(typeof bodies)[B]> }) &
        ([Q] extends [never] ? unknown : { query: v.InferInput<(typeof queries)[Q]> }) &
        ([F] extends [never] ? unknown : { form: F })
      // Routes read requests themselves: nothing passes through Hono's validators.
      out: Nothing
    }

// biome-ignore lint/complexity/noBannedTypes: Hono's own word for no input
type Nothing = {}

/**
 * Middleware that does nothing but tell of its route.
 * @param route as {@link routeScopes} has it
 */
export function describe<B extends BodyName = never, Q extends QueryName = never, F extends object = never>(
  route: Route,
  facts: RouteFacts<B, Q>,
): MiddlewareHandler<AppTypes, string, RequestTypes<B, Q, F>> {
  const { tag, summary, description, body, query, form, answer, status = 200, stream, once } = facts
  const scope = routeScopes[route]
  const spec: DescribeRouteOptions = {
    operationId: operationId(route),
    tags: [tag],
    summary,
    description: [
      description,
      scope === "open" ? "Needs no key." : `Needs the scope \`${scope}\` where keys are asked for.`,
    ]
      .filter((text) => text !== undefined)
      .join(" "),
    security: scope === "open" ? [] : [{ key: [] }],
    responses: {
      [status]: {
        description: "It went well",
        content: {
          ...(typeof answer === "string"
            ? { "application/json": { schema: refTo(answer) } }
            : { [answer.type]: { schema: { type: answer.type === "application/json" ? "object" : "string" } } }),
          ...(stream && {
            "text/event-stream": {
              schema: {
                type: "string",
                description: `Server-sent events, each a \`${stream}\` (#/components/schemas/${stream}) as JSON; the last is \`[DONE]\``,
              },
            },
          }),
        },
      },
      default: { $ref: "#/components/responses/Error" },
    },
    ...((query || once) && {
      parameters: [...(query ? queryParameters(query) : []), ...(once ? [onceParameter] : [])],
    }),
    ...((body ?? form) && {
      requestBody: {
        required: true,
        content: {
          ...(body && { "application/json": { schema: refTo(body) } }),
          ...(form && { "multipart/form-data": { schema: formSchema(form) } }),
        },
      },
    }),
  }
  return describeRoute(spec) as MiddlewareHandler<AppTypes, string, RequestTypes<B, Q, F>>
}

/** A form: its part `file` is bytes, the others are short texts. */
function formSchema(form: Readonly<Record<string, string>>) {
  const properties = Object.entries(form).map(([name, description]) => [
    name,
    name === "file" ? { type: "string", contentEncoding: "binary", description } : { type: "string", description },
  ])
  return { type: "object" as const, properties: Object.fromEntries(properties), required: ["file"] }
}

/** `POST /v1/fine_tuning/jobs/:id/cancel` as `postFineTuningJobsByIdCancel`. */
function operationId(route: Route): string {
  const [method, path] = route.split(" ") as [string, string]
  const words = path
    .replace(/^\/v1\b/, "")
    .replace(/:(\w+)(\{[^}]*\})?/g, "by-$1")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "")
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("")
}
