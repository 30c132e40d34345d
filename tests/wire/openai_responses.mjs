// The official `openai` Node SDK, unmodified, speaking Responses: prints what it saw as one JSON object.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.KEY, maxRetries: 0 });
const model = process.env.MODEL;
const tools = [{ type: "function", name: "one", parameters: { type: "object", properties: {} }, strict: false }];
const input = [{ role: "user", content: "Say hello." }];
const seen = {};

const whole = await client.responses.create({ model, input });
seen.whole = { text: whole.output_text, status: whole.status, usage: whole.usage.total_tokens };

const kinds = [];
const stream = client.responses.stream({ model, input });
for await (const event of stream) kinds.push(event.type);
const last = await stream.finalResponse();
seen.stream = { text: last.output_text, first: kinds[0], last: kinds.at(-1), usage: last.usage.total_tokens };

const called = await client.responses.create({ model, input, tools });
const call = called.output.find((item) => item.type === "function_call");
seen.tool = { name: call.name, arguments: call.arguments };
input.push(...called.output, { type: "function_call_output", call_id: call.call_id, output: "42" });
seen.done = (await client.responses.create({ model, input, tools })).output_text;

try {
  await client.responses.create({ model, input, background: true });
} catch (error) {
  seen.refused = { name: error.constructor.name, status: error.status, param: error.param };
}
console.log(JSON.stringify(seen));
