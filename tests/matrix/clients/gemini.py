"""Google's generateContent and streamGenerateContent, as PyPI google-genai 3.4.0 writes and reads them (types.py)."""

import json
from typing import Any

from google.genai.types import GenerateContentResponse

from tests.matrix.events import data_events
from tests.matrix.words import Ask, Call, Document, Image, NotInFormatError, Result, Seen, Text, Thought

MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


class Gemini:
    """See `Client`."""

    title = "Gemini"
    stops = {"end": "STOP", "length": "MAX_TOKENS", "tools": "STOP", "stop_sequence": "STOP", "filtered": "SAFETY"}
    usage = (True, True, False, True, True)

    def path(self, streamed: bool) -> str:
        return "/v1beta/models/m:streamGenerateContent?alt=sse" if streamed else "/v1beta/models/m:generateContent"

    def write(self, ask: Ask, streamed: bool) -> dict[str, Any]:
        if ask.parallel is not None or ask.user or ask.system_cached:
            raise NotInFormatError
        roles = {"user": "user", "assistant": "model"}
        body: dict[str, Any] = {
            "contents": [{"role": roles[role], "parts": [_part(part) for part in parts]} for role, parts in ask.turns]
        }
        if ask.system:
            body["systemInstruction"] = {"parts": [{"text": ask.system}]}
        if ask.tools:
            body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in ask.tools]}]
        if ask.choice:
            mode = MODES.get(ask.choice)
            config = {"mode": mode} if mode else {"mode": "ANY", "allowedFunctionNames": [ask.choice]}
            body["toolConfig"] = {"functionCallingConfig": config}
        said: dict[str, Any] = {
            "maxOutputTokens": ask.cap, "temperature": ask.temperature, "topP": ask.top_p, "topK": ask.top_k,
            "stopSequences": ask.stop or None, "seed": ask.seed, "candidateCount": ask.choices,
        }  # fmt: skip
        if ask.schema is not None or ask.json:
            said |= {"responseMimeType": "application/json", "responseJsonSchema": ask.schema}
        if ask.logprobs is not None:
            said |= {"responseLogprobs": True, "logprobs": ask.logprobs}
        if ask.penalties:
            said["frequencyPenalty"], said["presencePenalty"] = ask.penalties
        if ask.effort == "none":
            said["thinkingConfig"] = {"thinkingBudget": 0}
        elif ask.effort:
            said["thinkingConfig"] = {"thinkingLevel": ask.effort.upper(), "includeThoughts": True}
        if ask.budget:
            said["thinkingConfig"] = {"thinkingBudget": ask.budget, "includeThoughts": True}
        config = {name: value for name, value in said.items() if value is not None}
        return body | ({"generationConfig": config} if config else {})

    def follow(self, body: dict[str, Any], answer: dict[str, Any], results: list[Result]) -> None:
        body["contents"].append(answer["candidates"][0]["content"])
        said = [
            {"functionResponse": {"id": one.id, "name": one.name, "response": {"output": one.text}}} for one in results
        ]
        body["contents"].append({"role": "user", "parts": said})

    def assembled(self, data: bytes) -> dict[str, Any]:
        chunks = data_events(data)
        whole: dict[str, Any] = {"candidates": [{"index": 0, "content": {"role": "model", "parts": []}}]}
        candidate = whole["candidates"][0]
        for chunk in chunks:
            GenerateContentResponse.model_validate(chunk)
            for given in chunk.get("candidates") or ():
                candidate["content"]["parts"] += (given.get("content") or {}).get("parts") or []
                for name in ("finishReason", "logprobsResult"):
                    if name in given:
                        candidate.setdefault(name, []).append(given[name])
            if "usageMetadata" in chunk:
                whole["usageMetadata"] = chunk["usageMetadata"]
        (candidate["finishReason"],) = candidate["finishReason"]
        results = candidate.pop("logprobsResult", [])
        if results:
            chosen = [one for result in results for one in result.get("chosenCandidates") or ()]
            candidate["logprobsResult"] = {"chosenCandidates": chosen}
        return whole

    def checked(self, body: bytes) -> dict[str, Any]:
        GenerateContentResponse.model_validate_json(body)
        return dict(json.loads(body))

    def seen(self, answer: dict[str, Any]) -> Seen:
        (candidate,) = answer["candidates"]
        seen = Seen(stop=candidate["finishReason"])
        for part in (candidate.get("content") or {}).get("parts") or ():
            if call := part.get("functionCall"):
                seen.calls.append((call["id"], call["name"], call.get("args") or {}))
            elif part.get("thought"):
                seen.thought += part.get("text", "")
            else:
                seen.text += part.get("text", "")
            seen.signature = part.get("thoughtSignature") or seen.signature
        usage = answer["usageMetadata"]
        thought = usage.get("thoughtsTokenCount", 0)
        seen.usage = (
            usage["promptTokenCount"], usage.get("cachedContentTokenCount", 0), 0,
            usage["candidatesTokenCount"] + thought, thought,
        )  # fmt: skip
        chosen = (candidate.get("logprobsResult") or {}).get("chosenCandidates") or ()
        seen.logprobs = [(one["token"], one["logProbability"]) for one in chosen]
        return seen

    def error(self, body: dict[str, Any]) -> tuple[str, str]:
        return body["error"]["status"], body["error"]["message"]

    def broken(self, data: bytes) -> tuple[str, str]:
        *chunks, last = data_events(data)
        parts = [part for chunk in chunks for one in chunk["candidates"] for part in one["content"]["parts"]]
        return "".join(part.get("text", "") for part in parts), last["error"]["message"]


def _tool(tool: Any) -> dict[str, Any]:
    if tool.cached:
        raise NotInFormatError
    return {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.schema}


def _part(part: Any) -> dict[str, Any]:
    match part:
        case Text(text, False):
            return {"text": text}
        case Image(media_type, data, url):
            if url:
                return {"fileData": {"mimeType": media_type, "fileUri": url}}
            return {"inlineData": {"mimeType": media_type, "data": data}}
        case Document(media_type, data, name):
            return {"inlineData": {"mimeType": media_type, "data": data}}  # displayName is Vertex AI's alone
        case Call(id, name, arguments):
            return {"functionCall": {"id": id, "name": name, "args": arguments}}
        case Result(id, name, text, failed, image):
            said: dict[str, Any] = {"id": id, "name": name, "response": {"error" if failed else "output": text}}
            if image:
                said["parts"] = [{"inlineData": {"mimeType": "image/png", "data": image}}]
            return {"functionResponse": said}
        case Thought(text, signature):
            return {"text": text, "thought": True, "thoughtSignature": signature}
    raise NotInFormatError
