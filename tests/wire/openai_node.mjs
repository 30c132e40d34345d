// The official `openai` Node SDK, unmodified: prints what it saw as one JSON object.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "please greet" }];
const seen = {};

const chat = await client.chat.completions.create({ model: "mock-chat", messages }).withResponse();
seen.chat = { text: chat.data.choices[0].message.content, usage: chat.data.usage, id: chat.response.headers.get("x-request-id") };

const stream = await client.chat.completions.create({ model: "mock-chat", messages, stream: true }).withResponse();
let text = "";
let usageChunks = 0;
for await (const chunk of stream.data) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usageChunks += chunk.usage ? 1 : 0;
}
seen.stream = { text, usageChunks, id: stream.response.headers.get("x-request-id") };

const tools = [
  { type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } },
];
const tool = await client.chat.completions.create({
  model: "mock-chat",
  messages: [{ role: "user", content: "what weather" }],
  tools,
});
seen.tool = tool.choices[0].message.tool_calls[0].function;

const embedding = await client.embeddings.create({ model: "mock-embed", input: "embed me", encoding_format: "float" });
seen.embedding = embedding.data[0].embedding;

try {
  await client.chat.completions.create({ model: "demo-chat", messages });
} catch (error) {
  seen.refused = { name: error.constructor.name, status: error.status, code: error.code };
}
console.log(JSON.stringify(seen));
