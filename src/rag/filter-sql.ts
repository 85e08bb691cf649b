/**
 * @module Conditions on metadata as SQL, over a table `documents` whose column `metadata` holds JSON.
 */
import type { SqlValue } from "../store/database.ts"
import type { Filter } from "./filter.ts"
import type { MetadataValue } from "./retriever.ts"

/** An expression and the values of its marks, in their order. */
export interface Condition {
  readonly sql: string
  readonly values: readonly SqlValue[]
}

const operators = { gt: ">", gte: ">=", lt: "<", lte: "<=" } as const

/** A filter as an expression that is true or false, never null. */
export function filterSql(filter: Filter): Condition {
  if (filter.type === "and" || filter.type === "or") {
    const parts = filter.filters.map(filterSql)
    if (parts.length === 0) return { sql: filter.type === "and" ? "1" : "0", values: [] }
    return {
      sql: `(${parts.map(({ sql }) => sql).join(filter.type === "and" ? " AND " : " OR ")})`,
      values: parts.flatMap(({ values }) => values),
    }
  }
  const path = `$.${JSON.stringify(filter.key)}`
  switch (filter.type) {
    case "eq":
    case "ne":
      // Types are told apart, so that 1 is not true: JSON is compared with JSON.
      return {
        sql: `(documents.metadata -> ?) IS ${filter.type === "ne" ? "NOT " : ""}?`,
        values: [path, json(filter.value)],
      }
    case "in":
    case "nin": {
      if (filter.value.length === 0) return { sql: filter.type === "in" ? "0" : "1", values: [] }
      const listed = `coalesce((documents.metadata -> ?) IN (SELECT value FROM json_each(?)), 0)`
      return {
        sql: filter.type === "in" ? listed : `NOT ${listed}`,
        values: [path, JSON.stringify(filter.value.map(json))],
      }
    }
  }
  const kinds = typeof filter.value === "number" ? "'integer', 'real'" : "'text'"
  return {
    sql: `coalesce(json_type(documents.metadata, ?) IN (${kinds}) AND (documents.metadata ->> ?) ${operators[filter.type]} ?, 0)`,
    values: [path, path, filter.value],
  }
}

const json = (value: MetadataValue): string => JSON.stringify(value)
