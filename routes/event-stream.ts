/**
 * @module Server-sent events as OpenAI sends them: a `data:` line a chunk, `data: [DONE]` at the end, an error object
 * where a stream breaks, and a comment every few seconds so that nothing between here and the client hangs up.
 */
import { errorBody } from "./errors.ts"

/** How a stream is sent. */
export interface EventStreamOptions {
  readonly headers: Readonly<Record<string, string>>
  /** @default {5000} */
  readonly keepAliveMs?: number
  /** Called when the client leaves before the end. */
  readonly onCancel: () => void
  /** Called with what broke the stream. */
  readonly onError: (error: unknown) => void
}

/** Streams `chunks` as JSON. */
export function eventStream(chunks: AsyncIterable<unknown>, options: EventStreamOptions): Response {
  const encoder = new TextEncoder()
  const iterator = chunks[Symbol.asyncIterator]()
  let timer: ReturnType<typeof setInterval> | undefined
  let over = false
  const stop = (): void => {
    over = true
    clearInterval(timer)
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const comment = encoder.encode(": keep-alive\n\n")
      timer = setInterval(() => {
        // Comments do not pile up behind a client that does not read.
        if (!over && (controller.desiredSize ?? 0) > 0) controller.enqueue(comment)
      }, options.keepAliveMs ?? 5000)
    },
    async pull(controller) {
      try {
        const { done, value } = await iterator.next()
        if (over) return
        controller.enqueue(encoder.encode(`data: ${done ? "[DONE]" : JSON.stringify(value)}\n\n`))
        if (!done) return
      } catch (error) {
        if (over) return
        options.onError(error)
        controller.enqueue(encoder.encode(`data: ${JSON.stringify(errorBody(error))}\n\n`))
      }
      stop()
      controller.close()
    },
    cancel() {
      stop()
      options.onCancel()
      // What stands between two chunks is told nothing by a signal, and has to end, too.
      void iterator.return?.()?.catch(() => {})
    },
  })
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
      ...options.headers,
    },
  })
}
