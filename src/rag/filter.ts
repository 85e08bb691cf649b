/**
 * @module Conditions on a document's metadata, in the shape of OpenAI's attribute filters. They are looked at before
 * passages are ranked.
 *
 * What is compared is of one kind: 1 is neither "1" nor true, and a text is neither more nor less than a number. A value
 * that is not there equals nothing, so that `ne` and `nin` hold of it and nothing else does.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import type { Metadata } from "./document.ts"
import type { MetadataValue } from "./retriever.ts"

/** A condition. Numbers go by size, texts by their characters' codes. */
export type Filter =
  | Comparison<"eq" | "ne", MetadataValue>
  | Comparison<"gt" | "gte" | "lt" | "lte", number | string>
  | Comparison<"in" | "nin", readonly MetadataValue[]>
  | Compound<"and" | "or">

type Comparison<Type extends string, Value> = Type extends string
  ? { readonly type: Type; readonly key: string; readonly value: Value }
  : never
type Compound<Type extends string> = Type extends string
  ? { readonly type: Type; readonly filters: readonly Filter[] }
  : never

/** What both say, or the one that there is. */
export function both(one: Filter | undefined, other: Filter | undefined): Filter | undefined {
  return one && other ? { type: "and", filters: [one, other] } : (one ?? other)
}

/** The condition that every one of these values is there; none if there are none. */
export function equalTo(metadata: Metadata): Filter | undefined {
  const filters = Object.entries(metadata).map(([key, value]) => ({ type: "eq" as const, key, value }))
  return filters.length > 0 ? { type: "and", filters } : undefined
}

/** Whether a document with this metadata is meant. */
export function matches(filter: Filter, metadata: Metadata): boolean {
  if (filter.type === "and") return filter.filters.every((each) => matches(each, metadata))
  if (filter.type === "or") return filter.filters.some((each) => matches(each, metadata))
  const own = Object.hasOwn(metadata, filter.key) ? metadata[filter.key] : undefined
  switch (filter.type) {
    case "eq":
      return own === filter.value
    case "ne":
      return own !== filter.value
    case "in":
      return own !== undefined && filter.value.includes(own)
    case "nin":
      return own === undefined || !filter.value.includes(own)
  }
  if (typeof own !== typeof filter.value || typeof own === "boolean") return false
  const order = compare(own as number | string, filter.value)
  switch (filter.type) {
    case "gt":
      return order > 0
    case "gte":
      return order >= 0
    case "lt":
      return order < 0
    case "lte":
      return order <= 0
  }
}

/** Below zero if `a` comes before `b`. Texts go by their bytes, as SQLite has them. */
function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" || typeof b === "number") return Number(a) - Number(b)
  const [left, right] = [encodeUtf8(a), encodeUtf8(b)]
  for (let i = 0; i < Math.min(left.length, right.length); i++) if (left[i] !== right[i]) return left[i]! - right[i]!
  return left.length - right.length
}
