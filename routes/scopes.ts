/**
 * @module Which scope each route needs. What is not listed here needs `admin`.
 */
import type { Scope } from "../src/service/keyring.ts"

/** Scopes by method and path, as the routes write their paths. */
export const routeScopes = {
  "GET /openapi.json": "open",
  "GET /docs": "open",
  "GET /health": "open",
  "GET /health/live": "open",
  "GET /health/ready": "open",
  "GET /metrics": "admin",
  "GET /v1/models": "infer",
  "GET /v1/models/:id{.+}": "infer",
  "DELETE /v1/models/:id{.+}": "train",
  "POST /v1/chat/completions": "infer",
  "POST /v1/completions": "infer",
  "POST /v1/embeddings": "infer",
  "GET /v1/adapters": "infer",
  "POST /v1/adapters": "admin",
  "GET /v1/adapters/:name": "infer",
  "DELETE /v1/adapters/:name": "admin",
  "POST /v1/adapters/:name/rollback": "admin",
  "GET /lora-adapters": "infer",
  "POST /lora-adapters": "admin",
  "POST /v1/load_lora_adapter": "admin",
  "POST /v1/unload_lora_adapter": "admin",
  "POST /v1/files": "train",
  "GET /v1/files": "train",
  "GET /v1/files/:id": "train",
  "DELETE /v1/files/:id": "train",
  "GET /v1/files/:id/content": "train",
  "POST /v1/fine_tuning/jobs": "train",
  "GET /v1/fine_tuning/jobs": "train",
  "GET /v1/fine_tuning/jobs/:id": "train",
  "POST /v1/fine_tuning/jobs/:id/cancel": "train",
  "POST /v1/fine_tuning/jobs/:id/pause": "train",
  "POST /v1/fine_tuning/jobs/:id/resume": "train",
  "GET /v1/fine_tuning/jobs/:id/events": "train",
  "GET /v1/fine_tuning/jobs/:id/checkpoints": "train",
  "POST /v1/rag/documents": "train",
  "GET /v1/rag/documents": "infer",
  "GET /v1/rag/documents/:id{.+}": "infer",
  "DELETE /v1/rag/documents/:id{.+}": "train",
  "POST /v1/rag/search": "infer",
  "POST /v1/vector_stores": "train",
  "GET /v1/vector_stores": "infer",
  "GET /v1/vector_stores/:id": "infer",
  "POST /v1/vector_stores/:id": "train",
  "DELETE /v1/vector_stores/:id": "train",
  "POST /v1/vector_stores/:id/files": "train",
  "GET /v1/vector_stores/:id/files": "infer",
  "GET /v1/vector_stores/:id/files/:file": "infer",
  "POST /v1/vector_stores/:id/files/:file": "train",
  "DELETE /v1/vector_stores/:id/files/:file": "train",
  "GET /v1/vector_stores/:id/files/:file/content": "infer",
  "POST /v1/vector_stores/:id/file_batches": "train",
  "GET /v1/vector_stores/:id/file_batches/:batch": "infer",
  "POST /v1/vector_stores/:id/file_batches/:batch/cancel": "train",
  "GET /v1/vector_stores/:id/file_batches/:batch/files": "infer",
  "POST /v1/vector_stores/:id/search": "infer",
} as const satisfies Readonly<Record<string, Scope | "open">>

/** A route, as the routes write it. */
export type Route = keyof typeof routeScopes

const patterns = Object.entries(routeScopes).map(([route, scope]) => {
  const [method, path] = route.split(" ") as [string, string]
  const source = path.replace(/[.]/g, "\\.").replace(/:\w+(?:\{\\?(\.\+)\})?/g, (_, rest) => rest ?? "[^/]+")
  return { method, scope, pattern: new RegExp(`^${source}$`) }
})

/** What a request needs: the scope of its route, and `admin` where no route declares one. */
export function scopeOf(method: string, path: string): Scope | "open" {
  const asked = method === "HEAD" ? "GET" : method
  return patterns.find((each) => each.method === asked && each.pattern.test(path))?.scope ?? "admin"
}
