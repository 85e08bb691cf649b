/**
 * @module The adapter table against random histories: loads, replacements, rollbacks, removals, requests that come, wait, go and end, folders
 * that change, bindings that fail, and a clear at any moment. Every wait of the table's ends when the test says so: a seed is a history.
 */
import { expect, test } from "bun:test"
import { EspalierError, isEspalierError } from "../../../src/core/errors.ts"
import { rng } from "../../../src/core/rng.ts"
import type { LoadedAdapter } from "../../../src/forms/form.ts"
import { createAdapterTable } from "../../../src/serve/adapter-table.ts"
import type { AdapterBinder } from "../../../src/serve/adapter-versions.ts"
import type { BoundAdapter } from "../../../src/serve/decoder.ts"
import type { NamedHold, PreparedAdapter } from "../../../src/serve/holds.ts"
import { fakeAdapter } from "../../support/fake-decoder.ts"

/** More of them by hand: `SEEDS=2000 bun test test/unit/serve/adapter-histories.test.ts`. */
const SEEDS = Number(process.env["SEEDS"] ?? 400)
const STEPS = 150
const NAMES = ["a", "b", "c", "d", "e"]

/** Lets everything run that waits for nothing outside. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** A table of its own, and who uses it. */
function scene(seed: number) {
  const random = rng(seed, "adapter-table")
  const below = (count: number): number => random.below(count)
  const pick = <T>(items: readonly T[]): T => random.pick(items)

  /** What waits for the test's leave. */
  const gates: (() => void)[] = []
  const gate = (): Promise<void> => new Promise((resolve) => void gates.push(resolve))
  const faults: string[] = []
  const alive = new Set<BoundAdapter>()
  const leaving = new Set<BoundAdapter>()
  const held = new Map<BoundAdapter, number>()
  const hold = (bound: BoundAdapter, change: 1 | -1): void => {
    if (change > 0 && !alive.has(bound)) faults.push("held what is disposed of")
    held.set(bound, (held.get(bound) ?? 0) + change)
    if (held.get(bound) === 0) held.delete(bound)
  }
  const binder: AdapterBinder = {
    async bind({ hash }) {
      await gate()
      if (below(12) === 0) throw new EspalierError("internal", "The binding failed")
      const bound: BoundAdapter = { hash, virtualTokens: 0, dispose: async () => {} }
      alive.add(bound)
      return bound
    },
    async dispose(bound) {
      if (held.has(bound)) faults.push("disposed of what is held")
      leaving.add(bound)
      if (below(2) === 0) await gate()
      if (!alive.delete(bound)) faults.push("disposed of twice")
    },
  }
  const places = 1 + below(3)
  const table = createAdapterTable(binder, places, () => 0)

  /** Contents of folders; two for each name. */
  const folders = new Map<string, string>()
  const read = async (path: string): Promise<LoadedAdapter> => {
    await gate()
    const content = folders.get(path)
    if (content === undefined) throw new EspalierError("not_found", `There is no ${path}`)
    return fakeAdapter(content)
  }
  const pending = new Set<Promise<void>>()
  const run = (job: Promise<unknown>): void => {
    const ended: Promise<void> = job.then(
      () => void pending.delete(ended),
      (error) => {
        pending.delete(ended)
        if (!isEspalierError(error)) faults.push(String(error))
        else if (error.message.includes("/srv") && error.code !== "not_found") faults.push(error.message)
      },
    )
    pending.add(ended)
  }
  const holds: { readonly hold: NamedHold; readonly prepared: PreparedAdapter | null }[] = []
  const take = (found: NamedHold, prepared: PreparedAdapter | null): void => {
    hold(found.bound, 1)
    holds.push({ hold: found, prepared })
  }
  const releaseAt = (at: number): void => {
    const [each] = holds.splice(at, 1)
    hold(each!.hold.bound, -1)
    each!.hold.release()
    each!.prepared?.release()
    // Once more is nothing.
    each!.hold.release()
  }
  const aborts: AbortController[] = []
  /** Loads that have not ended: what they have bound may wait for a place. */
  let loads = 0
  let cleared = false

  const put = (name: string, replace: boolean): void => {
    const path = pick([`/srv/${name}`, `/srv/other-${name}`])
    if (below(2) === 0) folders.set(path, pick(["1", "2", "3"].map((version) => name + version)))
    const facts = { replace, path, again: () => read(path) }
    const here = fakeAdapter(name)
    loads++
    const loaded =
      below(8) === 0
        ? table.put(name, async () => here, { replace, path: null })
        : table.put(name, () => read(path), facts)
    run(loaded.finally(() => loads--))
  }
  const ask = async (name: string): Promise<void> => {
    const controller = new AbortController()
    aborts.push(controller)
    if (table.isAway(name)) {
      const prepared = await table.bringBack(name, controller.signal)
      return take(prepared.hold(), prepared)
    }
    const found = table.hold(name)
    if (found.bound.hash !== table.find(name)!.info.hash) faults.push("held another version")
    take(found, null)
  }
  const clear = (): void => {
    cleared = true
    run(
      table.clear().then(() => {
        for (const bound of alive)
          if (!held.has(bound) && !leaving.has(bound)) faults.push("cleared, and something is left")
      }),
    )
  }
  const step = (): void => {
    const name = pick(NAMES)
    const kind = below(20)
    if (kind < 6 && gates.length > 0) gates.splice(below(gates.length), 1)[0]!()
    else if (kind < 11) run(ask(name))
    else if (kind < 14) put(name, below(3) > 0)
    else if (kind < 17 && holds.length > 0) releaseAt(below(holds.length))
    else if (kind === 17) run(table.rollback(name))
    else if (kind === 18) aborts.splice(below(aborts.length + 1), 1)[0]?.abort()
    else if (below(2) === 0) run(table.remove(name))
    else folders.delete(pick([`/srv/${name}`, `/srv/other-${name}`]))
  }
  const settle = async (): Promise<void> => {
    await turn()
    while (gates.length > 0) {
      for (const open of gates.splice(0)) open()
      await turn()
    }
  }
  /** What must be true while nothing moves. */
  const check = (): void => {
    if (cleared) return
    const infos = table.list()
    const resident = infos.filter((info) => info.resident)
    const wanted = resident.map(({ hash }) => hash)
    const allowed = [...wanted, ...infos.flatMap(({ previousHash }) => previousHash ?? [])]
    const free = [...alive].filter((bound) => !held.has(bound)).map(({ hash }) => hash)
    let unknown = 0
    for (const hash of free) {
      const at = allowed.indexOf(hash)
      if (at < 0) unknown++
      else allowed.splice(at, 1)
    }
    if (unknown > loads) faults.push("something is in memory that nobody knows")
    for (const hash of wanted)
      if (![...alive].some((bound) => bound.hash === hash)) faults.push("what is called resident is not there")
    // A rollback to what lies nowhere else may take a place more.
    if (held.size === 0 && resident.length > places && resident.some(({ path }) => path !== null))
      faults.push(`${resident.length} in memory on ${places} places`)
    if (held.size === 0 && pending.size > 0) faults.push(`${pending.size} wait for nothing`)
  }
  const releaseAll = (): void => {
    while (holds.length > 0) releaseAt(holds.length - 1)
  }
  return { below, step, settle, check, clear, releaseAll, faults, alive, pending }
}

async function history(seed: number): Promise<readonly string[]> {
  const { below, step, settle, check, clear, releaseAll, faults, alive, pending } = scene(seed)
  for (let i = 0; i < STEPS; i++) {
    step()
    // Several within one turn, too.
    if (below(3) > 0) await turn()
    if (below(15) > 0) continue
    await settle()
    check()
  }
  if (seed % 2 === 0) {
    await settle()
    releaseAll()
    await settle()
    check()
  }
  clear()
  await settle()
  releaseAll()
  await settle()
  if (alive.size > 0) faults.push(`${alive.size} are in memory after all`)
  if (pending.size > 0) faults.push(`${pending.size} wait for ever`)
  return faults
}

test(`keeps its books in ${SEEDS} random histories`, async () => {
  const found: string[] = []
  for (let seed = 1; seed <= SEEDS; seed++)
    for (const fault of new Set(await history(seed))) found.push(`seed ${seed}: ${fault}`)
  expect(found).toEqual([])
}, 600_000)
