/**
 * @module What a folder of the hub's cache is a snapshot of: its own name is a commit, which tells nobody anything.
 */

/** The id of the model that a path of the cache belongs to; null for any other path. */
export function idOfSnapshot(path: string): string | null {
  const [, owner, name] = /[\\/]models--(.+?)--([^\\/]+)[\\/]snapshots[\\/][^\\/]+[\\/]?$/.exec(path) ?? []
  return owner === undefined ? null : `${owner}/${name}`
}
