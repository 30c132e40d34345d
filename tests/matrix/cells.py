"""One cell: a call from the client's bytes to the provider and back, and what became of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.dialects.error_bodies import error_body
from gateway.dialects.lanes import Lane, Outbound
from gateway.dialects.members import Members
from gateway.dialects.openai_answer import as_detail, error_detail, status_of
from gateway.dialects.registry import lane_of, service_of
from gateway.endpoints import Endpoint, resolve
from gateway.errors import RequestError
from gateway.stages.call import provider_error
from gateway.types import ParsedRequest, Usage
from tests.matrix.clients import Client
from tests.matrix.events import cuts
from tests.matrix.features import Feature
from tests.matrix.places import Place
from tests.matrix.providers import Provider, answers_of, provider_of
from tests.matrix.words import Ask, Call, NotInFormatError, Result, Seen, Thought

CAP = 4096


@dataclass(frozen=True)
class Outcome:
    """`kind`: it works; it is refused with 400 for `param`; it is left out, which changes no answer; or one of the two
    formats has no word for it.
    """

    kind: Literal["works", "refused", "left out", "no word"]
    param: str = ""


@dataclass(frozen=True)
class Sent:
    """A call that is on its way."""

    endpoint: Endpoint
    request: ParsedRequest
    lane: Lane
    outbound: Outbound
    provider: Provider
    asked: Ask


def run(client: Client, place: Place, feature: Feature) -> Outcome:
    """Do what a feature says, streamed and whole. Fails where the two differ, or where anything is lost on the way."""
    ways = [streamed for streamed in (False, True) if feature.only != ("whole" if streamed else "stream")]
    outcomes = {_one(client, place, feature, streamed) for streamed in ways}
    assert len(outcomes) == 1, outcomes
    return outcomes.pop()


def _one(client: Client, place: Place, feature: Feature, streamed: bool) -> Outcome:
    try:
        body = client.write(feature.ask, streamed)
    except NotInFormatError:
        return Outcome("no word")
    try:
        sent = send(client, place, body, streamed)
    except RequestError as error:
        if error.status != 400 or not error.param:
            raise AssertionError("a refusal names the parameter") from error
        return Outcome("refused", error.param)
    wanted, got = feature.same(feature.ask), feature.same(sent.asked)
    left_out = got != wanted
    if left_out:
        assert feature.blank is not None and got == feature.blank, f"wanted {wanted}, sent was {got}"
    golden = answers_of(sent.provider.golden)
    if feature.way == "refused":
        _refused(client, place, sent, golden)
    elif feature.way == "midway":
        _midway(client, place, sent, golden, feature)
    elif not left_out or feature.way == "call":
        answer = golden["answers"].get(feature.answer)
        if answer is None:
            return Outcome("no word")
        told = answered(client, sent, answer, streamed, feature.sizes)
        if feature.way == "loop":
            return _loop(client, place, body, told, answer["says"], streamed)
    return Outcome("left out" if left_out else "works")


def send(client: Client, place: Place, body: dict[str, Any], streamed: bool) -> Sent:
    """Take a call as far as the provider. Raises RequestError."""
    path, _, query = client.path(streamed).partition("?")
    endpoint, target = resolve("POST", path, {}, query.encode())
    request = service_of(endpoint).parse(Members(json.dumps(body).encode()), target)
    assert request.streamed is streamed
    lane = lane_of(endpoint, place.deployment)
    assert lane is not None, "there is a way from every client to every provider"
    outbound = lane.outbound(request, place.deployment, CAP, {})
    provider = provider_of(place.deployment.dialect, outbound)
    assert provider.streamed(outbound) is streamed
    assert provider.model(outbound) == place.deployment.upstream_model
    return Sent(endpoint, request, lane, outbound, provider, provider.read(outbound))


def answered(
    client: Client, sent: Sent, golden: Mapping[str, Any], streamed: bool, sizes: tuple[int, ...]
) -> dict[str, Any]:
    """Let the provider answer; return what the client got, which says what the provider said, in the client's words."""
    says = golden["says"]
    usage = Usage(*says["usage"])
    if not streamed:
        body = json.dumps(golden["whole"], ensure_ascii=False).encode()
        whole = sent.lane.whole(sent.request, body)
        assert whole is not None and whole.error is None and whole.usage == usage
        told = client.checked(whole.body)
        compare(client, client.seen(told), says)
        return told
    data = sent.provider.stream(golden["stream"])
    before = b""
    for size in sizes:
        stream = sent.lane.stream(sent.request)
        passed = b"".join(stream.feed(piece) for piece in cuts(data, size)) + stream.end()
        assert stream.done and stream.error is None and stream.usage == usage
        if passed != before:
            told = client.assembled(passed)
            compare(client, client.seen(told), says)
            before = passed
    return told


def compare(client: Client, seen: Seen, says: Mapping[str, Any]) -> None:
    """Fail unless an answer says what the provider said, as far as the client's dialect has words for it."""
    assert (seen.text, seen.thought) == (says["text"], says["thought"])
    assert seen.calls == [tuple(call) for call in says["calls"]]
    assert seen.stop == client.stops[says["stop"]]
    told = tuple(count if can else 0 for count, can in zip(says["usage"], client.usage, strict=True))
    assert seen.usage == told
    assert seen.logprobs == [tuple(one) for one in says.get("logprobs", ())]


def _loop(
    client: Client, place: Place, body: dict[str, Any], told: dict[str, Any], says: Mapping[str, Any], streamed: bool
) -> Outcome:
    """Go on with the answer and results of its tools: calls, results and thought come back as the provider made them."""
    results = [Result(call_id, name, f"Föhn – {number}") for number, (call_id, name, _) in enumerate(says["calls"])]
    client.follow(body, told, results)
    asked = send(client, place, body, streamed).asked
    assert [(call.id, call.name, call.arguments) for call in asked.parts(Call)] == [tuple(one) for one in says["calls"]]
    assert [(result.id, result.text) for result in asked.parts(Result)] == [(one.id, one.text) for one in results]
    assert [role for role, _ in asked.turns] == ["user", "assistant", "user"]
    signatures = [part.signature for part in [*asked.parts(Thought), *asked.parts(Call)] if part.signature]
    if not says["signature"]:
        return Outcome("no word" if says["thought"] else "works")
    if place.deployment.dialect in {"anthropic", "bedrock"}:  # these refuse thought that is not signed, or missing
        assert all(thought.signature for thought in asked.parts(Thought))
        assert bool(asked.parts(Thought)) is asked.thinks, "it goes on thinking only with the thought before its call"
    assert signatures in ([], [says["signature"]])
    return Outcome("works" if signatures else "left out")


def _refused(client: Client, place: Place, sent: Sent, golden: Mapping[str, Any]) -> None:
    given = golden["refused"]
    detail = error_detail(json.dumps(given["body"]).encode())
    error = provider_error(given["status"], detail, place.deployment)
    assert error.status == given["status"]
    kind, message = client.error(json.loads(error_body(error, sent.endpoint.dialect, "req_1", "")))
    assert kind and "– bitte " in message


def _midway(client: Client, place: Place, sent: Sent, golden: Mapping[str, Any], feature: Feature) -> None:
    answer = golden["answers"]["text"]
    data = sent.provider.midway(answer["stream"][: len(answer["stream"]) // 2 + 1], golden["midway"])
    for size in feature.sizes:
        stream = sent.lane.stream(sent.request)
        passed = b"".join(stream.feed(piece) for piece in cuts(data, size)) + stream.cut()
        assert stream.error is not None and not stream.done
        error = provider_error(status_of(stream.error), as_detail(stream.error), place.deployment)
        body = error_body(error, sent.endpoint.dialect, "req_1", "")
        text, message = client.broken(passed + service_of(sent.endpoint).failed(body))
        assert text and answer["says"]["text"].startswith(text)
        assert message.endswith("– Entschuldigung.")
