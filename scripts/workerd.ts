/**
 * @module A real workerd with the built worker in it, by miniflare: assets, R2 and Durable Objects as on the platform.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Miniflare } from "miniflare"
import type { Bucket } from "../src/store/bucket-folder.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

/** Whether this machine has workerd: it comes with miniflare, for the systems that it is built for. */
export const hasWorkerd = existsSync(join(root, "node_modules", "workerd", "bin", "workerd"))

/** What wrangler.jsonc says, so that what is tested is what is deployed. */
const wrangler = JSON.parse(readFileSync(join(root, "wrangler.jsonc"), "utf8").replace(/^\s*\/\/.*$/gm, "")) as {
  readonly compatibility_date: string
  readonly compatibility_flags: string[]
  readonly vars: Record<string, string>
}

/** How a worker is started. */
export interface WorkerdSettings {
  /** The class of its Durable Object. @default {"EspalierEngine"} */
  readonly engine?: string
  /** Where bucket and objects are kept for the next workerd. @default they go with this one */
  readonly keptIn?: string
}

/**
 * Starts the worker that lies in a folder.
 * @param vars its variables, in place of wrangler.jsonc's
 */
export async function startWorkerd(
  folder: string,
  vars: Readonly<Record<string, string>> = {},
  { engine = "EspalierEngine", keptIn }: WorkerdSettings = {},
): Promise<Miniflare> {
  const miniflare = new Miniflare({
    modulesRoot: folder,
    modules: [
      // The first module is the one that is started.
      ...["worker.js", ...readdirSync(folder).filter((file) => file.endsWith(".js") && file !== "worker.js")].map(
        (file) => ({ type: "ESModule" as const, path: join(folder, file) }),
      ),
      { type: "CompiledWasm", path: join(folder, "engine.wasm") },
    ],
    compatibilityDate: wrangler.compatibility_date,
    compatibilityFlags: wrangler.compatibility_flags,
    bindings: { ...wrangler.vars, ...vars },
    durableObjects: { ENGINE: { className: engine, useSQLite: true } },
    r2Buckets: ["BUCKET"],
    ...(keptIn !== undefined && { r2Persist: join(keptIn, "r2"), durableObjectsPersist: join(keptIn, "objects") }),
    assets: {
      directory: join(folder, "assets"),
      binding: "ASSETS",
      routerConfig: { invoke_user_worker_ahead_of_assets: true, has_user_worker: true },
    },
    // Nothing is asked of the network.
    cf: false,
  })
  await miniflare.ready
  return miniflare
}

/** The worker's bucket. miniflare's own type of it needs Cloudflare's, which this project does without. */
export const bucketOf = async (workerd: Miniflare) =>
  (await workerd.getR2Bucket("BUCKET")) as unknown as Bucket & { delete(key: string): Promise<void> }
