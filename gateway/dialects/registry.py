"""Who serves what: formats that clients speak, dialects of providers, and the lane from one to the other.

A new dialect of providers is one row in `PROVIDERS`; a new format of clients is one in `SERVICES`, and one in `CLIENTS`
or `EMBEDDING_CLIENTS` where it can be translated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.dialects import azure, completions, embeddings, moderations, openai_chat, realtime, rerank
from gateway.dialects.anthropic import parse as messages
from gateway.dialects.anthropic.formats import MessagesClient, MessagesProvider
from gateway.dialects.anthropic.lane import CountLane, MessagesLane
from gateway.dialects.anthropic.prompt import counted as counted_messages
from gateway.dialects.anthropic.prompt import prompt as messages_prompt
from gateway.dialects.audio import speech
from gateway.dialects.audio import transcription as recordings
from gateway.dialects.audio.lane import TranscriptionLane
from gateway.dialects.bedrock import embeddings as bedrock_embeddings
from gateway.dialects.bedrock import invoke
from gateway.dialects.bedrock import parse as converse
from gateway.dialects.bedrock.client import ConverseClient
from gateway.dialects.bedrock.invoke_lane import InvokeClient, InvokeLane
from gateway.dialects.bedrock.lane import ConverseLane
from gateway.dialects.bedrock.models import is_claude
from gateway.dialects.bedrock.prompt import prompt as converse_prompt
from gateway.dialects.bedrock.provider import ConverseProvider
from gateway.dialects.bedrock.writer import failed as converse_failed
from gateway.dialects.chat.formats import ChatClient, ChatProvider
from gateway.dialects.cohere import embeddings as cohere_embeddings
from gateway.dialects.cohere import parse as cohere
from gateway.dialects.cohere.client import CohereClient, CohereEmbeddingClient
from gateway.dialects.cohere.lane import CohereLane
from gateway.dialects.cohere.provider import CohereProvider
from gateway.dialects.cohere.rerank import CohereRerankLane
from gateway.dialects.cohere.writer import failed as cohere_failed
from gateway.dialects.embedding import EmbeddingClient, EmbeddingProvider, TranslatedEmbeddings
from gateway.dialects.gemini import embeddings as gemini_embeddings
from gateway.dialects.gemini import lane as gemini_lane
from gateway.dialects.gemini import request as gemini
from gateway.dialects.gemini.formats import GeminiClient, GeminiProvider
from gateway.dialects.gemini.images import GeminiImageLane
from gateway.dialects.images import parse as images
from gateway.dialects.images.lane import ImageLane
from gateway.dialects.lanes import Lane
from gateway.dialects.members import Members
from gateway.dialects.multipart import Form
from gateway.dialects.openai_embeddings import OpenAIEmbeddingClient, OpenAIEmbeddingProvider
from gateway.dialects.openai_lane import OpenAILane
from gateway.dialects.profiles import profile_of
from gateway.dialects.realtime import RealtimeLane
from gateway.dialects.rerank import RerankLane
from gateway.dialects.responses import parse as responses
from gateway.dialects.responses.formats import ResponsesClient
from gateway.dialects.responses.lane import ResponsesLane, serves_responses
from gateway.dialects.responses.prompt import prompt as responses_prompt
from gateway.dialects.responses.writer import failed as responses_failed
from gateway.dialects.translation import ClientFormat, ProviderFormat, Translated
from gateway.endpoints import Endpoint
from gateway.snapshot import DeploymentPolicy
from gateway.tokens import Countable
from gateway.types import ParsedRequest

JSON = b"application/json; charset=utf-8"
FRAMES = b"application/vnd.amazon.eventstream"

Kind = tuple[str, str]  # dialect and kind of an endpoint: the format that its clients speak


@dataclass(frozen=True, slots=True)
class Service:
    """What the pipeline needs of a format before it knows where a call goes.

    `parse` reads a request's body and the rest of its path; it raises RequestError that names the parameter.
    """

    parse: Callable[[Members, str], ParsedRequest]
    prompt: Callable[[ParsedRequest], Countable]  # what counts as prompt
    # Reads a body, by the request's headers: `Form.of` where it is a form.
    reads: Callable[[bytes, Mapping[bytes, bytes]], Members] = lambda body, _: Members(body)
    media: frozenset[str] = frozenset()  # types of answers that clients get as said, beside JSON; or `audio/*`
    has_output: bool = True
    stream_type: bytes = b"text/event-stream; charset=utf-8"
    failed: Callable[[bytes], bytes] = lambda body: (
        b"data: " + body + b"\n\n"
    )  # a stream's last event, of an error body
    counted: Callable[[int], bytes] | None = None  # an answer that tells the prompt's tokens; nobody else is called
    meant: Callable[[Members, Endpoint], Endpoint] | None = None  # what a body is for, where the path does not say it


@dataclass(frozen=True, slots=True)
class ProviderDialect:
    """What providers of one dialect take: formats as they are, and conversations in their own by translation.

    `auth` names the way of `gateway.credentials` in which they want to know who calls.
    """

    native: Mapping[Kind, Lane]
    conversation: ProviderFormat | None = None
    embeddings: EmbeddingProvider | None = None
    auth: str = "bearer"
    defaults: Mapping[str, str] = field(default_factory=dict)  # of a provider's options


SERVICES: dict[Kind, Service] = {
    ("openai", "chat"): Service(lambda members, _: openai_chat.parse(members), openai_chat.prompt),
    ("openai", "responses"): Service(
        lambda members, _: responses.parse(members), responses_prompt, failed=responses_failed
    ),
    ("openai", "completions"): Service(lambda members, _: completions.parse(members), completions.prompt),
    ("openai", "realtime"): Service(lambda _, query: realtime.parse(query), realtime.prompt),
    ("openai", "embeddings"): Service(
        lambda members, _: embeddings.parse(members), embeddings.prompt, has_output=False
    ),
    ("openai", "images"): Service(lambda members, _: images.parse_make(members), images.prompt, has_output=False),
    ("openai", "image_edits"): Service(
        lambda members, _: images.parse_edit(members), images.prompt, reads=images.read, has_output=False
    ),
    ("openai", "moderations"): Service(
        lambda members, _: moderations.parse(members), moderations.prompt, has_output=False
    ),
    ("openai", "rerank"): Service(lambda members, _: rerank.parse(members), rerank.prompt, has_output=False),
    ("openai", "speech"): Service(
        lambda members, _: speech.parse(members), speech.prompt, media=speech.MEDIA, has_output=False
    ),
    ("openai", "transcriptions"): Service(
        lambda members, _: recordings.parse_transcription(members),
        recordings.prompt,
        reads=Form.of,
        media=recordings.MEDIA,
        has_output=False,
    ),
    ("openai", "translations"): Service(
        lambda members, _: recordings.parse_translation(members),
        recordings.prompt,
        reads=Form.of,
        media=recordings.MEDIA,
        has_output=False,
    ),
    ("anthropic", "messages"): Service(
        lambda members, _: messages.parse(members),
        messages_prompt,
        failed=lambda body: b"event: error\ndata: " + body + b"\n\n",
    ),
    ("anthropic", "count_tokens"): Service(
        lambda members, _: messages.parse_count(members), messages_prompt, has_output=False, counted=counted_messages
    ),
    ("gemini", "generate"): Service(gemini.parse, gemini.prompt),
    ("gemini", "stream"): Service(gemini.parse_stream, gemini.prompt),
    ("gemini", "stream_array"): Service(
        gemini.parse_stream, gemini.prompt, stream_type=JSON, failed=lambda body: b",\r\n" + body + b"]"
    ),
    ("gemini", "count_tokens"): Service(gemini.parse_count, gemini.prompt, has_output=False, counted=gemini.counted),
    ("gemini", "embed"): Service(gemini_embeddings.parse_one, gemini_embeddings.prompt, has_output=False),
    ("gemini", "batch_embed"): Service(gemini_embeddings.parse_many, gemini_embeddings.prompt, has_output=False),
    ("bedrock", "converse"): Service(lambda members, model: converse.parse(members, model, False), converse_prompt),
    ("bedrock", "converse_stream"): Service(
        lambda members, model: converse.parse(members, model, True),
        converse_prompt,
        stream_type=FRAMES,
        failed=converse_failed,
    ),
    ("bedrock", "invoke"): Service(
        lambda members, model: invoke.parse(members, model, False),
        messages_prompt,
        reads=invoke.read,
        meant=invoke.meant,
    ),
    ("bedrock", "invoke_stream"): Service(
        lambda members, model: invoke.parse(members, model, True),
        messages_prompt,
        reads=invoke.read,
        stream_type=FRAMES,
        failed=converse_failed,
        meant=invoke.meant,
    ),
    ("cohere", "cohere_chat"): Service(lambda members, _: cohere.parse(members), cohere.prompt, failed=cohere_failed),
    ("cohere", "cohere_embed"): Service(
        lambda members, _: cohere.parse_embed(members), cohere.prompt_embed, has_output=False
    ),
    ("bedrock", "invoke_embed"): Service(bedrock_embeddings.parse, bedrock_embeddings.prompt, has_output=False),
}

CLIENTS: dict[Kind, ClientFormat] = {
    ("openai", "chat"): ChatClient(),
    ("openai", "responses"): ResponsesClient(),
    ("anthropic", "messages"): MessagesClient(),
    ("gemini", "generate"): GeminiClient(),
    ("gemini", "stream"): GeminiClient(),
    ("gemini", "stream_array"): GeminiClient(array=True),
    ("bedrock", "converse"): ConverseClient(),
    ("bedrock", "converse_stream"): ConverseClient(),
    ("bedrock", "invoke"): InvokeClient(),
    ("bedrock", "invoke_stream"): InvokeClient(),
    ("cohere", "cohere_chat"): CohereClient(),
}

EMBEDDING_CLIENTS: dict[Kind, EmbeddingClient] = {
    ("openai", "embeddings"): OpenAIEmbeddingClient(),
    ("gemini", "embed"): gemini_embeddings.GeminiEmbeddingClient(batch=False),
    ("gemini", "batch_embed"): gemini_embeddings.GeminiEmbeddingClient(batch=True),
    ("cohere", "cohere_embed"): CohereEmbeddingClient(),
}

_GEMINI_LANES: dict[Kind, Lane] = {
    ("gemini", "generate"): gemini_lane.GeminiLane(),
    ("gemini", "stream"): gemini_lane.GeminiLane(),
    ("gemini", "stream_array"): gemini_lane.GeminiLane(array=True),
    ("gemini", "count_tokens"): gemini_lane.CountLane(),
    ("gemini", "embed"): gemini_embeddings.EmbedLane("embedContent"),
    ("gemini", "batch_embed"): gemini_embeddings.EmbedLane("batchEmbedContents"),
    ("openai", "images"): GeminiImageLane(),
    ("openai", "image_edits"): GeminiImageLane(),
}

PROVIDERS: dict[str, ProviderDialect] = {
    "openai": ProviderDialect(
        {
            ("openai", "chat"): OpenAILane(openai_chat, "/chat/completions"),
            ("openai", "responses"): ResponsesLane(),
            ("openai", "completions"): OpenAILane(completions, "/completions"),
            ("openai", "realtime"): RealtimeLane(),
            ("openai", "embeddings"): OpenAILane(embeddings, "/embeddings"),
            ("openai", "speech"): speech.SpeechLane(),
            ("openai", "transcriptions"): TranscriptionLane("/audio/transcriptions"),
            ("openai", "translations"): TranscriptionLane("/audio/translations"),
            ("openai", "moderations"): OpenAILane(moderations, "/moderations"),
            ("openai", "rerank"): RerankLane(),
            ("openai", "images"): ImageLane("/images/generations"),
            ("openai", "image_edits"): ImageLane("/images/edits"),
        },
        ChatProvider(),
        OpenAIEmbeddingProvider(),
    ),
    "azure": ProviderDialect(
        {
            ("openai", "chat"): OpenAILane(openai_chat, "/chat/completions", azure.path_of),
            ("openai", "responses"): ResponsesLane(azure.path_of),
            ("openai", "completions"): OpenAILane(completions, "/completions", azure.path_of),
            ("openai", "realtime"): RealtimeLane(azure.realtime_path),
            ("openai", "embeddings"): OpenAILane(embeddings, "/embeddings", azure.path_of),
            ("openai", "speech"): speech.SpeechLane(azure.path_of),
            ("openai", "transcriptions"): TranscriptionLane("/audio/transcriptions", azure.path_of),
            ("openai", "translations"): TranscriptionLane("/audio/translations", azure.path_of),
            ("openai", "rerank"): CohereRerankLane(azure.rerank_path),
            ("openai", "images"): ImageLane("/images/generations", azure.path_of),
            ("openai", "image_edits"): ImageLane("/images/edits", azure.path_of),
        },
        ChatProvider(azure.path_of),
        OpenAIEmbeddingProvider(azure.path_of),
        auth="api-key",
        defaults=azure.DEFAULTS,
    ),
    "anthropic": ProviderDialect(
        {("anthropic", "messages"): MessagesLane(), ("anthropic", "count_tokens"): CountLane()},
        MessagesProvider(),
        auth="x-api-key",
    ),
    "gemini": ProviderDialect(
        _GEMINI_LANES, GeminiProvider(), gemini_embeddings.GeminiEmbeddingProvider(), auth="x-goog-api-key"
    ),
    "vertex": ProviderDialect(_GEMINI_LANES, GeminiProvider(), gemini_embeddings.GeminiEmbeddingProvider(), auth="gcp"),
    "bedrock": ProviderDialect(
        {
            ("bedrock", "converse"): ConverseLane(),
            ("bedrock", "converse_stream"): ConverseLane(),
            ("bedrock", "invoke"): InvokeLane(),
            ("bedrock", "invoke_stream"): InvokeLane(),
            ("bedrock", "invoke_embed"): bedrock_embeddings.InvokeEmbedLane(),
        },
        ConverseProvider(),
        bedrock_embeddings.BedrockEmbeddingProvider(),
        auth="aws",
    ),
    "cohere": ProviderDialect(
        {
            ("cohere", "cohere_chat"): CohereLane("/chat"),
            ("cohere", "cohere_embed"): CohereLane("/embed"),
            ("openai", "rerank"): CohereRerankLane(),
        },
        CohereProvider(),
        cohere_embeddings.CohereEmbeddingProvider(),
    ),
}


def service_of(endpoint: Endpoint) -> Service:
    """Return how calls of this endpoint are read."""
    return SERVICES[endpoint.dialect, endpoint.kind]


def lane_of(endpoint: Endpoint, deployment: DeploymentPolicy) -> Lane | None:
    """Return the way of a call of this endpoint to this deployment; None: there is none."""
    lane = _lane(endpoint.dialect, endpoint.kind, deployment.dialect, _serves(endpoint.kind, deployment))
    return lane.at(deployment) if isinstance(lane, TranscriptionLane) else lane


def _serves(kind: str, deployment: DeploymentPolicy) -> bool:
    """Say whether a deployment has what only some of its dialect have."""
    if kind == "responses":
        return serves_responses(deployment)
    if kind == "speech":
        return profile_of(deployment).speech
    if kind in ("invoke", "invoke_stream"):  # bodies of Anthropic's; other models on Bedrock are asked by Converse
        return is_claude(deployment.upstream_model)
    return kind != "rerank" or deployment.dialect != "openai" or bool(profile_of(deployment).rerank)


@lru_cache(maxsize=256)
def _lane(dialect: str, kind: str, provider_dialect: str, may_be_native: bool) -> Lane | None:
    provider = PROVIDERS.get(provider_dialect)
    if provider is None:
        return None
    native = provider.native.get((dialect, kind))
    if native is not None and may_be_native:
        return native
    client, embedding = CLIENTS.get((dialect, kind)), EMBEDDING_CLIENTS.get((dialect, kind))
    if client is not None and provider.conversation is not None:
        return Translated(client, provider.conversation)
    if embedding is not None and provider.embeddings is not None:
        return TranslatedEmbeddings(embedding, provider.embeddings)
    return None
