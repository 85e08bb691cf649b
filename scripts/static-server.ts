/**
 * @module A server of one folder's files, on loopback: what a page needs and no more.
 */
import { readFile, realpath } from "node:fs/promises"
import { extname, join, sep } from "node:path"
import { serveHttp } from "../src/entry/http-server.ts"

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
}

/** Serves a folder. @param port 0 takes a free one */
export async function serveFolder(folder: string, port: number) {
  const root = await realpath(folder)
  const answer = async (request: Request): Promise<Response> => {
    const path = decodeURIComponent(new URL(request.url).pathname)
    try {
      const file = await realpath(join(root, path.endsWith("/") ? `${path}index.html` : path))
      if (!file.startsWith(root + sep)) throw new Error("outside")
      return new Response(new Uint8Array(await readFile(file)), {
        headers: { "content-type": types[extname(file)] ?? "application/octet-stream" },
      })
    } catch {
      return new Response("Not found", { status: 404 })
    }
  }
  return serveHttp(answer, { port, authenticated: false })
}
