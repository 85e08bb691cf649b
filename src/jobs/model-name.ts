/**
 * @module Names of fine-tuned models, `ft:<base>:<suffix>:<id>` as OpenAI's, and the folders that they lie in: a colon is no
 * good in a file name on every system, and a tilde is in no model's name.
 */

/** Longest part of a base's name that is repeated in a model's. */
const BASE_LENGTH = 24
/** As much of a job's id as tells it from others. */
const ID_LENGTH = 12

/** The model of a job. @param job its id, `ftjob-` and hex digits */
export function modelName(base: string, suffix: string | null, job: string): string {
  const plain = base.replace(/[^A-Za-z0-9._-]/g, "-").replace(/\.{2,}/g, ".")
  return `ft:${plain.slice(0, BASE_LENGTH)}:${suffix ?? ""}:${job.replace(/^ftjob-/, "").slice(0, ID_LENGTH)}`
}

/** The model of a checkpoint of that model. */
export const checkpointName = (model: string, step: number): string => `${model}:ckpt-step-${step}`

/** Whether a model is a checkpoint's. */
export const isCheckpointName = (model: string): boolean => /:ckpt-step-\d+$/.test(model)

/** The folder of a model. */
export const folderOf = (model: string): string => model.replaceAll(":", "~")

/** The model of a folder, or null for a folder of anything else. */
export const modelOf = (folder: string): string | null =>
  /^ft~[A-Za-z0-9._-]*~[A-Za-z0-9._-]*~[0-9a-f]+(~ckpt-step-\d+)?$/.test(folder) ? folder.replaceAll("~", ":") : null
