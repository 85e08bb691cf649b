import { OpenAI } from "openai"

const client = new OpenAI({ baseURL: "http://127.0.0.1:8000/v1", apiKey: "none" })
const stream = await client.chat.completions.create({
  model: "answer-card",
  messages: [{ role: "user", content: "What colour is the sky?" }],
  temperature: 0,
  stream: true,
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "")
process.stdout.write("\n")
