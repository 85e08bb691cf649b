/**
 * @module Where the hub is, who asks, and where its files are kept: the environment variables of Hugging Face's own
 * libraries, with their meaning there.
 * Source: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
import { readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { EspalierError } from "../../core/errors.ts"

/** How the hub is asked. */
export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string
  readonly token: string | null
  /** The folder with a folder for each model. */
  readonly cache: string
  /** Take what is kept, and ask nobody. */
  readonly offline: boolean
}

type Env = Readonly<Record<string, string | undefined>>

/** HF_ENDPOINT, HF_TOKEN (or the file that `hf auth login` writes), HF_HUB_CACHE, HF_HOME, HF_HUB_OFFLINE. */
export function hubSettings(env: Env): HubSettings {
  const home = env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "huggingface")
  const truths = ["1", "on", "yes", "true"]
  return {
    endpoint: (env["HF_ENDPOINT"] || "https://huggingface.co").replace(/\/+$/, ""),
    token: env["HF_TOKEN"] || storedToken(env["HF_TOKEN_PATH"] || join(home, "token")),
    cache: env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"] || join(home, "hub"),
    offline: truths.includes((env["HF_HUB_OFFLINE"] ?? "").toLowerCase()),
  }
}

function storedToken(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim() || null
  } catch {
    return null
  }
}

/** A model of the hub. */
export interface HubModel {
  /** `owner/name`. */
  readonly id: string
  /** A branch, tag or commit. */
  readonly revision: string
}

const ID = /^([\w][\w.-]*\/[\w][\w.-]*)(?:@([\w][\w./-]*))?$/

/** Whether a text has the form of a model's id. */
export const isHubId = (text: string): boolean => ID.test(text) && !text.includes("..")

/** `owner/name`, or `owner/name@revision`. @throws {EspalierError} `invalid_request` */
export function parseHubId(text: string): HubModel {
  const [, id, revision = "main"] = ID.exec(text) ?? []
  if (id !== undefined && !text.includes("..")) return { id, revision }
  throw new EspalierError("invalid_request", `Expected a model of the hub but found ${JSON.stringify(text)}`, {
    hint: "Such as HuggingFaceTB/SmolLM2-135M-Instruct, or with @ and a branch, tag or commit behind it",
  })
}

/** The folder that Hugging Face's libraries keep a model in. */
export const modelFolder = ({ cache }: HubSettings, { id }: HubModel): string =>
  join(cache, `models--${id.replace("/", "--")}`)
