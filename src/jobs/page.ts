/**
 * @module Lists in pages, as OpenAI's: so many rows after the one that a client saw last.
 */
import { EspalierError } from "../core/errors.ts"
import type { Database, SqlRow, SqlValue } from "../store/database.ts"

/** Which page. */
export interface PageRequest {
  /** Rows at most. */
  readonly limit: number
  /** The id of the last row of the page before. */
  readonly after: string | null
  readonly order: "asc" | "desc"
}

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly hasMore: boolean
}

/**
 * One page of a table that has `id` and `seq`.
 * @param where an SQL condition with its values, such as `owner = ?`; never text from outside
 * @throws {EspalierError} `invalid_request` if `after` is none of these rows.
 */
export function pageOf<T>(
  database: Database,
  table: string,
  where: readonly [condition: string, ...values: readonly SqlValue[]],
  { limit, after, order }: PageRequest,
  read: (row: SqlRow) => T,
): Page<T> {
  const [condition, ...values] = where
  let beyond = ""
  const bounds: SqlValue[] = []
  if (after !== null) {
    const last = database.get(`SELECT seq FROM ${table} WHERE id = ? AND ${condition}`, after, ...values)
    if (!last) {
      throw new EspalierError("invalid_request", `Expected \`after\` to be the id of a listed object but found none`, {
        param: "after",
      })
    }
    beyond = ` AND seq ${order === "asc" ? ">" : "<"} ?`
    bounds.push(last["seq"]!)
  }
  const sql = `SELECT * FROM ${table} WHERE ${condition}${beyond} ORDER BY seq ${order === "asc" ? "ASC" : "DESC"} LIMIT ?`
  const rows = database.all(sql, ...values, ...bounds, limit + 1)
  return { items: rows.slice(0, limit).map(read), hasMore: rows.length > limit }
}
