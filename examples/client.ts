/**
 * Talks to a running server by the typed client: what models there are, an answer at once, and one as it grows.
 *
 *     bun run examples/client.ts [url]
 */
import { createClient, readStream } from "espalier/client"

const [url = "http://127.0.0.1:8000"] = process.argv.slice(2)
const apiKey = process.env["ESPALIER_API_KEY"]
const client = createClient(url, apiKey === undefined ? {} : { apiKey })

const models = await (await client.v1.models.$get()).json()
console.log(models.data.map(({ id }) => id).join(", "))

const model = models.data[0]!.id
const messages = [{ role: "user" as const, content: "What colour is the sky?" }]
const answer = await client.v1.chat.completions.$post({ json: { model, messages, max_tokens: 32, temperature: 0 } })
console.log((await answer.json()).choices[0]!.message.content)

const stream = await client.v1.chat.completions.$post({ json: { model, messages, max_tokens: 32, stream: true } })
for await (const { choices } of readStream(stream)) process.stdout.write(choices[0]?.delta.content ?? "")
console.log()
