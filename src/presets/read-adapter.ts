/**
 * @module Adapter folders for an open base, read by any method of a full installation.
 */
import { methods } from "../../adapters/mod.ts"
import { type AdapterContent, adapterForms, understandAdapter } from "../adapter-io.ts"
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import type { Method } from "../method.ts"
import { openAdapterFolder, type ReadAdapter, readAdapterFolder } from "../store/adapter-folder.ts"
import type { Folder } from "../store/folder.ts"
import { isAddress, openStored } from "./adapter-stores.ts"
import { methodEnv } from "./method-env.ts"
import type { OpenBase } from "./open-base.ts"
import { checkPromoted } from "./promotion.ts"

/** The base that an adapter is read for. */
export type ReadingBase = Pick<OpenBase, "base" | "tokenizer">

/** Options of {@link readAdapter}. */
export interface ReadAdapterOptions {
  /** @default {those of a full installation} */
  readonly known?: readonly Method[]
  /** Refuse what a run held back. @default {false} */
  readonly promotedOnly?: boolean
  /** Take an adapter of another base whose layers have the same shapes. @default {false} */
  readonly anyBase?: boolean
}

/**
 * Reads an adapter folder on disk and checks it against a base.
 * @throws {EspalierError} `not_found`, `invalid_file`, `unsupported`, `adapter_mismatch` naming both bases, or
 *   `conflict` for what was held back
 */
export async function readAdapter(
  open: ReadingBase,
  path: string,
  options: ReadAdapterOptions = {},
): Promise<LoadedAdapter> {
  return (await readAdapterFiles(open, path, options)).loaded
}

/** Reads an adapter from wherever its files lie: see {@link readAdapter}. */
export async function readAdapterFrom(
  open: ReadingBase,
  folder: Folder,
  options: ReadAdapterOptions = {},
): Promise<LoadedAdapter> {
  return (await checkedAdapter(open, await readAdapterFolder(folder), options)).loaded
}

/**
 * Reads an adapter as a server takes it, from a folder on disk or from a store.
 * @param force take what a run held back, and what was trained on another base
 */
export async function readServedAdapter(open: ReadingBase, place: string, force: boolean): Promise<LoadedAdapter> {
  const options = { promotedOnly: !force, anyBase: force }
  if (isAddress(place)) return readAdapterFrom(open, await openStored(place, process.env), options)
  return readAdapter(open, place, options)
}

/** {@link readAdapter} with the files that it was read from. */
export async function readAdapterFiles(
  open: ReadingBase,
  path: string,
  options: ReadAdapterOptions = {},
): Promise<{ readonly files: ReadAdapter; readonly loaded: LoadedAdapter }> {
  return checkedAdapter(open, await openAdapterFolder(path), options)
}

async function checkedAdapter(
  open: ReadingBase,
  files: ReadAdapter,
  { known = methods, promotedOnly = false, anyBase = false }: ReadAdapterOptions,
): Promise<{ readonly files: ReadAdapter; readonly loaded: LoadedAdapter }> {
  const { base } = open
  const trainedOn = files.facts?.["base"] as { name?: unknown; hash?: unknown } | undefined
  if (!anyBase && typeof trainedOn?.hash === "string" && trainedOn.hash !== base.hash) {
    throw new EspalierError(
      "adapter_mismatch",
      `The adapter was trained on base "${trainedOn.name}" (${trainedOn.hash.slice(0, 12)}), not on "${base.name}" (${base.hash.slice(0, 12)})`,
      {
        hint: "Serve it with the base it was trained on, or take it all the same with --force",
      },
    )
  }
  if (promotedOnly) checkPromoted(files.facts, "The adapter")
  return { files, loaded: await loadContent(open, files, known) }
}

/** An adapter whose content is at hand. @throws {EspalierError} `unsupported`, `adapter_mismatch` */
export function loadContent(
  { base, tokenizer }: ReadingBase,
  content: AdapterContent & { readonly hash: string; readonly sizeBytes: number },
  known: readonly Method[] = methods,
): Promise<LoadedAdapter> {
  return adapterForms(content, understandAdapter(content, known, methodEnv(base, tokenizer, 0), base.name), (name) =>
    base.read(name),
  )
}
