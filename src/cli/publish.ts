/**
 * @module `espalier publish`.
 */
import { EspalierError } from "../core/errors.ts"
import { publishTo } from "../presets/adapter-stores.ts"
import { openAdapterFolder } from "../store/adapter-folder.ts"
import { defineCommand, exitCodes } from "./command.ts"
import { trainedAdapter } from "./shared-options.ts"

export const publishCommand = defineCommand({
  name: "publish",
  summary: "Puts an adapter into a store, a folder on disk or a bucket of S3's kind, from which servers load it.",
  usage: "<folder> file:///folder/name|s3://bucket/prefix/name [options]",
  options: {},
  examples: [
    "espalier publish adapters-out/support file:///srv/adapters/support",
    "espalier publish adapters-out/support s3://models/adapters/support",
  ],
  async run(given, [folder, url], io) {
    const values = given as { readonly json?: boolean }
    if (folder === undefined || url === undefined)
      throw new EspalierError("invalid_request", "Expected a folder and an address", {
        hint: "Such as: espalier publish adapters-out/support s3://models/adapters/support",
      })
    const { path } = trainedAdapter(folder)
    // What can't be read is not published.
    const { hash } = await openAdapterFolder(path)
    const { uploaded, files } = await publishTo(path, url, io.env)
    io.out(
      values.json
        ? `${JSON.stringify({ url, hash, files, uploaded })}\n`
        : `Published ${path} as ${url}: ${files} files, ${uploaded} of them new there\n`,
    )
    return exitCodes.ok
  },
})
