/**
 * @module What a test may do, as Deno sees it.
 */

/** Deno's part that is asked; bun-types and Node's types don't know it. */
interface DenoPermissions {
  readonly permissions: { query(permission: { readonly name: string }): Promise<{ readonly state: string }> }
}

/** Of these permissions those that this process has. */
export async function grantedOf(names: readonly string[]): Promise<string[]> {
  const { permissions } = (globalThis as unknown as { readonly Deno: DenoPermissions }).Deno
  const states = await Promise.all(
    names.map(async (name) => [name, (await permissions.query({ name })).state] as const),
  )
  return states.filter(([, state]) => state === "granted").map(([name]) => name)
}
