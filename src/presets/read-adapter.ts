/**
 * @module Adapter folders for an open base, read by any method of a full installation.
 */
import { methods } from "../../adapters/mod.ts"
import { adapterForms, understandAdapter } from "../adapter-io.ts"
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import type { Method } from "../method.ts"
import { openAdapterFolder } from "../store/adapter-folder.ts"
import { methodEnv } from "./method-env.ts"
import type { OpenBase } from "./open-base.ts"
import { checkPromoted } from "./promotion.ts"

/** Options of {@link readAdapter}. */
export interface ReadAdapterOptions {
  /** @default {those of a full installation} */
  readonly known?: readonly Method[]
  /** Refuse what a run held back. @default {false} */
  readonly promotedOnly?: boolean
}

/**
 * Reads an adapter folder and checks it against a base.
 * @throws {EspalierError} `not_found`, `invalid_file`, `unsupported`, `adapter_mismatch` naming both bases, or
 *   `conflict` for what was held back
 */
export async function readAdapter(
  { base, tokenizer }: OpenBase,
  path: string,
  { known = methods, promotedOnly = false }: ReadAdapterOptions = {},
): Promise<LoadedAdapter> {
  const content = await openAdapterFolder(path)
  const trainedOn = content.facts?.["base"] as { name?: unknown; hash?: unknown } | undefined
  if (typeof trainedOn?.hash === "string" && trainedOn.hash !== base.hash) {
    throw new EspalierError(
      "adapter_mismatch",
      `The adapter was trained on base "${trainedOn.name}" (${trainedOn.hash.slice(0, 12)}), not on "${base.name}" (${base.hash.slice(0, 12)})`,
      {
        hint: "Serve it with the base it was trained on",
      },
    )
  }
  if (promotedOnly) checkPromoted(content.facts, "The adapter")
  return adapterForms(content, understandAdapter(content, known, methodEnv(base, tokenizer, 0), base.name), (name) =>
    base.read(name),
  )
}
