// Vercel's AI SDK with its own providers, unmodified: prints what each saw as one JSON object.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const { ORIGIN, KEY } = process.env;
const baseURL = `${ORIGIN}/v1`;
const openai = createOpenAI({ baseURL, apiKey: KEY });
const anthropic = createAnthropic({ baseURL, apiKey: KEY });
const compatible = createOpenAICompatible({ name: "atrium", baseURL, apiKey: KEY, includeUsage: true });
const formats = { chat: openai.chat, responses: openai.responses, messages: anthropic, compatible };
const inputSchema = jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] });
const getWeather = tool({ description: "Say how the weather is.", inputSchema, execute: ({ city }) => `Rain in ${city}.` });
const seen = {};

for (const [format, modelOf] of Object.entries(formats)) {
  for (const name of ["mock-chat", "mock-claude"]) {
    const common = { model: modelOf(name), maxRetries: 0, maxOutputTokens: 100 };
    const whole = await generateText({ ...common, prompt: "please greet" });
    const stream = streamText({ ...common, prompt: "please greet" });
    const text = await stream.text;
    const usage = await stream.usage;
    // With its usual store: true the SDK would name earlier items by id, which nobody keeps here.
    const messages = [
      { role: "user", content: "please greet" }, ...whole.response.messages, { role: "user", content: "please greet" },
    ];
    const again = await generateText({ ...common, messages, providerOptions: { openai: { store: false } } });
    const tools = { get_weather: getWeather };
    const agent = streamText({ ...common, prompt: "what weather", tools, stopWhen: stepCountIs(3) });
    const steps = await agent.steps;
    const called = steps[0].toolCalls[0];
    seen[`${format} ${name}`] = {
      text: whole.text, again: again.text, streamed: text, usage: [usage.inputTokens, usage.outputTokens],
      call: [called.toolName, called.input], final: steps.at(-1).text,
    };
  }
}
console.log(JSON.stringify(seen));
