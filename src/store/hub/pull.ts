/**
 * @module A base from the hub: the files that a base is made of and no others, kept as Hugging Face's own libraries keep
 * them (`blobs/<checksum>`, `snapshots/<commit>/<file>` as links to them, `refs/<branch>`), so that each side finds what the
 * other one fetched.
 * Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
import { copyFile, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises"
import { dirname, join, relative } from "node:path"
import { decodeUtf8 } from "../../core/bytes.ts"
import { EspalierError, messageOf } from "../../core/errors.ts"
import { parseShardIndex } from "../../formats/hf-config.ts"
import { fetchBlob, type HubFile } from "./blob.ts"
import { type HubModel, type HubSettings, modelFolder } from "./settings.ts"

/** What has come so far. */
export interface PullProgress {
  readonly file: string
  /** Bytes of this file that are there. */
  readonly done: number
  readonly size: number
}

/** How a base is pulled. */
export interface PullOptions {
  readonly onProgress?: (progress: PullProgress) => void
  /** See {@link BlobOptions}. */
  readonly retryDelay?: number
}

/** A base in the cache. */
export interface Pulled {
  /** A folder that opens as a base. */
  readonly path: string
  readonly commit: string
  /** Whether nothing was asked of the hub: offline, or it could not be reached. */
  readonly kept: boolean
}

const WEIGHTS = "model.safetensors"
const INDEX = "model.safetensors.index.json"
/** What a base may have beside its weights. */
const SMALL = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
]
const FILE_NAME = /^\w[\w.+-]*$/

/**
 * Brings a base into the cache, and says where it is.
 * @throws {EspalierError} `not_found` for a model or revision that there is none of, `unsupported` for one without
 *   safetensors, `unavailable` where the hub can't be reached and nothing is kept, `invalid_file` for a wrong checksum
 */
export async function pullModel(model: HubModel, settings: HubSettings, options: PullOptions = {}): Promise<Pulled> {
  const folder = modelFolder(settings, model)
  if (settings.offline) {
    const kept = await keptSnapshot(folder, model)
    if (kept) return kept
    throw new EspalierError(
      "unavailable",
      `${model.id} at ${model.revision} is not kept here, and HF_HUB_OFFLINE is set`,
      {
        hint: `Pull it once with a connection: espalier pull ${model.id}`,
      },
    )
  }
  const hub = await import("@huggingface/hub")
  const access = {
    hubUrl: settings.endpoint,
    ...(settings.token !== null && { accessToken: settings.token }),
  }
  const repo = { type: "model" as const, name: model.id }
  try {
    const { sha } = await hub.modelInfo({
      name: model.id,
      revision: model.revision,
      additionalFields: ["sha"],
      ...access,
    })
    const commit = checkedCommit(sha)
    const there = new Map<string, HubFile>()
    for await (const { type, path, size, oid, lfs } of hub.listFiles({ repo, revision: commit, ...access }))
      if (type === "file" && FILE_NAME.test(path))
        there.set(path, { path, size: lfs?.size ?? size, etag: lfs?.oid ?? oid ?? "", isLarge: lfs !== undefined })
    const snapshot = join(folder, "snapshots", commit)
    const bring = async (name: string): Promise<void> => {
      const file = there.get(name)
      if (!file) throw new EspalierError("not_found", `${model.id} has no file ${name}, though its index names it`)
      if (!/^[\da-f]{40,64}$/.test(file.etag))
        throw new EspalierError("invalid_file", `${name}: the hub says no checksum of it`)
      const blob = join(folder, "blobs", file.etag)
      await fetchBlob(blob, file, {
        async open() {
          const found = await hub.downloadFile({ repo, path: name, revision: commit, ...access })
          if (!found) throw new EspalierError("not_found", `${model.id} has no file ${name}`)
          return found
        },
        onBytes: (done) => options.onProgress?.({ file: name, done, size: file.size }),
        ...(options.retryDelay !== undefined && { retryDelay: options.retryDelay }),
      })
      await place(blob, join(snapshot, name))
    }
    await bringAll(model, there, bring, snapshot)
    await remember(folder, model.revision, commit)
    return { path: snapshot, commit, kept: false }
  } catch (error) {
    const known = asHubError(error, model, settings)
    const kept = known.code === "unavailable" ? await keptSnapshot(folder, model) : null
    if (kept) return kept
    throw known
  }
}

/** The files that a base is made of, settings first: a model that can't be used is known before its weights are here. */
async function bringAll(
  { id }: HubModel,
  there: ReadonlyMap<string, HubFile>,
  bring: (name: string) => Promise<void>,
  snapshot: string,
): Promise<void> {
  if (!there.has(WEIGHTS) && !there.has(INDEX)) {
    const gguf = [...there.keys()].find((name) => name.endsWith(".gguf"))
    throw new EspalierError("unsupported", `${id} has neither ${WEIGHTS} nor ${INDEX}`, {
      hint: gguf
        ? `It has ${gguf}: fetch that file and read it with espalier import`
        : "Pickled weights can run code and are never read: take a model with safetensors",
    })
  }
  for (const name of SMALL) if (there.has(name)) await bring(name)
  if (there.has(WEIGHTS)) return bring(WEIGHTS)
  await bring(INDEX)
  const index = parseShardIndex(JSON.parse(decodeUtf8(await readFile(join(snapshot, INDEX)))))
  for (const shard of new Set(index.values())) await bring(shard)
}

function checkedCommit(sha: unknown): string {
  if (typeof sha === "string" && /^[\da-f]{40}$/.test(sha)) return sha
  throw new EspalierError("unavailable", "The hub's answer names no commit", { hint: "Is HF_ENDPOINT right?" })
}

/** Puts a blob under its name, as a link where the system has those. */
async function place(blob: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await rm(path, { force: true })
  await symlink(relative(dirname(path), blob), path).catch(() => copyFile(blob, path))
}

const refOf = (folder: string, revision: string): string => join(folder, "refs", ...revision.split("/"))

async function remember(folder: string, revision: string, commit: string): Promise<void> {
  if (revision === commit) return
  const ref = refOf(folder, revision)
  await mkdir(dirname(ref), { recursive: true })
  await writeFile(ref, commit)
}

/** What the cache has of a revision, if it is whole. */
async function keptSnapshot(folder: string, { revision }: HubModel): Promise<Pulled | null> {
  const isCommit = /^[\da-f]{40}$/.test(revision)
  const commit = isCommit ? revision : await readFile(refOf(folder, revision), "utf8").catch(() => null)
  if (commit === null) return null
  const path = join(folder, "snapshots", commit.trim())
  const has = (name: string): Promise<boolean> =>
    stat(join(path, name)).then(
      () => true,
      () => false,
    )
  if (!(await has("config.json"))) return null
  if (await has(WEIGHTS)) return { path, commit: commit.trim(), kept: true }
  const index = await readFile(join(path, INDEX)).catch(() => null)
  if (!index) return null
  const shards = [...new Set(parseShardIndex(JSON.parse(decodeUtf8(index))).values())]
  const whole = (await Promise.all(shards.map(has))).every(Boolean)
  return whole ? { path, commit: commit.trim(), kept: true } : null
}

/** What went wrong, in our words. */
function asHubError(error: unknown, { id, revision }: HubModel, { endpoint, token }: HubSettings): EspalierError {
  if (error instanceof EspalierError) return error
  const { statusCode } = error as { readonly statusCode?: unknown }
  if (statusCode === 404)
    return new EspalierError("not_found", `The hub has no model ${id} at ${revision}`, { param: "base", cause: error })
  if (statusCode === 401 || statusCode === 403)
    return new EspalierError(
      "not_found",
      `The hub gives ${id} to nobody like us: there is none, or it is private or gated`,
      {
        hint:
          token === null
            ? "Set HF_TOKEN to a token that may read it"
            : "Ask for access on its page, with the account that HF_TOKEN belongs to",
        param: "base",
        cause: error,
      },
    )
  return new EspalierError("unavailable", `The hub at ${new URL(endpoint).host} can't be asked: ${messageOf(error)}`, {
    hint: "Check the connection and HF_ENDPOINT; HF_HUB_OFFLINE=1 takes what is kept",
    cause: error,
  })
}
