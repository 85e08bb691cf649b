/**
 * @module One run of `bench first-token`, in a process of its own: from the process's start to the first token of an
 * answer, part by part. Takes a base's folder, a backend and a number of threads, or nothing for as many as `espalier generate` has;
 * writes one line of JSON.
 */

/** Milliseconds of each part, on the clock and of the processor, all threads together. */
export interface FirstTokenRun {
  readonly backend: string
  readonly token: string
  /** Bytes of the frozen weights as the engine holds them, and the process's peak of resident memory. */
  readonly weights: number
  readonly peak: number
  readonly parts: readonly { readonly name: string; readonly ms: number; readonly cpuMs: number }[]
}

if (import.meta.main) {
  const [folder = "", backend = "", threads = ""] = process.argv.slice(2)
  const parts: { name: string; ms: number; cpuMs: number }[] = []
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
  let last = { ms: 0, cpuMs: 0 }
  const mark = (name: string): void => {
    const now = { ms: performance.now(), cpuMs: cpuMs() }
    parts.push({ name, ms: now.ms - last.ms, cpuMs: now.cpuMs - last.cpuMs })
    last = now
  }
  mark("runtime")
  const { openBase } = await import("../../src/presets/open-base.ts")
  const { openRuntime } = await import("../../src/presets/open-runtime.ts")
  const { isSmallBase } = await import("../../src/presets/small-base.ts")
  const { graphDecoder } = await import("../../src/serve/graph-decoder.ts")
  const { argmax } = await import("../../src/serve/sampling.ts")
  const { encodeChat } = await import("../../src/text/chat.ts")
  mark("modules")
  const { runtime } = await openRuntime(
    backend as "native",
    threads === "" ? { light: await isSmallBase(folder) } : { threads: Number(threads) },
  )
  mark("engine")
  const { base, tokenizer } = await openBase(folder)
  mark("base")
  const decoder = await graphDecoder({ runtime, base })
  mark("decoder")
  const content = "Mira bought 3 apples in Talon. Who bought apples?"
  const ids = tokenizer!.hasChatTemplate
    ? encodeChat(tokenizer!, [{ role: "user", content }], { addGenerationPrompt: true }).ids
    : tokenizer!.encode(content, { addSpecial: true })
  const sequence = await decoder.open(null, ids.length + 1)
  const token = tokenizer!.decode([argmax(await sequence.append(ids))])
  mark("token")
  const { peakMemory } = await import("./machine.ts")
  const backendName = `${runtime.name} (${runtime.detail})`
  const memory = { weights: base.weights.size, peak: peakMemory() }
  console.log(JSON.stringify({ backend: backendName, token, ...memory, parts } satisfies FirstTokenRun))
  sequence.close()
  await decoder.dispose()
  await runtime.dispose()
}
