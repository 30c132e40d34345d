"""Providers that speak OpenAI's dialect, one row each, as their documentation had it in November 2026.

Where usage stands in a stream, and how errors are shaped, is read in every known way for all of them: see `openai_usage`
and `openai_answer`.
"""

from gateway.dialects.profile import Profile

COMPLETION = "max_completion_tokens"

ROWS = (
    # Deprecates max_tokens, and its reasoning models refuse it.
    Profile(
        "openai",
        "https://platform.openai.com/docs/api-reference/chat/create",
        ("api.openai.com",),
        COMPLETION,
        responses=True,
    ),
    # Serves the same models under a host name for each customer.
    Profile(
        "azure",
        "https://learn.microsoft.com/azure/ai-foundry/openai/reference",
        (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
        COMPLETION,
        responses=True,
    ),
    # Refuses what its schema does not name (422): the usage option, the newer cap, hints of OpenAI's clients. Usage comes
    # without asking. The schema: PyPI mistralai 3.7.0, client/models/chatcompletionstreamrequest.py.
    Profile(
        "mistral",
        "https://github.com/mistralai/platform-docs-public/issues/7",
        ("api.mistral.ai", "codestral.mistral.ai"),
        dropped=frozenset(
            {"stream_options", COMPLETION, "user", "store", "safety_identifier", "prompt_cache_retention"}
        ),
        renamed={"seed": "random_seed"},
        extras=frozenset({"random_seed", "safe_prompt", "prompt_mode"}),
        speech=False,  # client/speech.py: sound within JSON
        form_fields=frozenset({"model", "file", "language", "temperature", "stream", "diarize", "context_bias[]"}),
    ),
    # Deprecates max_tokens, and tells usage of streams in "x_groq" (PyPI groq 1.7.0, types/chat).
    Profile(
        "groq",
        "https://console.groq.com/docs/openai",
        ("api.groq.com",),
        COMPLETION,
        extras=frozenset({"citation_options", "disable_tool_validation"}),
        least_seconds=10,  # https://console.groq.com/docs/speech-to-text, "Minimum Billed Length"
    ),
    # Deprecates max_tokens (PyPI cerebras-cloud-sdk 1.91.0, types/chat/completion_create_params.py).
    Profile(
        "cerebras",
        "https://inference-docs.cerebras.ai/resources/openai",
        ("api.cerebras.ai",),
        COMPLETION,
        extras=frozenset({"clear_thinking", "disable_reasoning"}),
    ),
    # Tells cached tokens as "prompt_cache_hit_tokens".
    Profile("deepseek", "https://api-docs.deepseek.com/api/create-chat-completion", ("api.deepseek.com",)),
    # Tells usage of streams in the last choice, and cached tokens beside the others.
    Profile("moonshot", "https://platform.kimi.ai/docs/api/quickstart", ("api.moonshot.ai", "api.moonshot.cn")),
    # Leaves tokens of thought out of completion_tokens, not out of total_tokens.
    Profile(
        "xai",
        "https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/grok/capabilities/reasoning",
        ("api.x.ai",),
        COMPLETION,
    ),
    # Tells usage so far in every chunk. Bills each request for its search: the model's price needs one for each call.
    Profile(
        "perplexity",
        "https://docs.perplexity.ai/docs/sonar/openai-compatibility",
        ("api.perplexity.ai",),
        extras=frozenset({"search_domain_filter", "search_recency_filter", "disable_search"})
        | {"search_after_date_filter", "search_before_date_filter"},
    ),
    # Sends comments while it waits, usage without asking, and errors within a chunk that has choices.
    Profile(
        "openrouter",
        "https://openrouter.ai/docs/use-cases/usage-accounting",
        ("openrouter.ai",),
        extras=frozenset({"usage", "transforms"}),
        rerank="/rerank",  # https://openrouter.ai/docs/api/api-reference/rerank/create-rerank
    ),
    Profile(
        "together",
        "https://docs.together.ai/docs/inference/openai-compatibility",
        ("api.together.xyz", "api.together.ai"),
        rerank="/rerank",  # PyPI together 3.1.1, resources/rerank.py
        image_pixels=1 << 20,  # https://www.together.ai/pricing: image models by the megapixel
        image_edges=True,  # PyPI together 3.1.1, types/image_generate_params.py
    ),
    Profile(
        "fireworks",
        "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
        ("api.fireworks.ai",),
        extras=frozenset({"context_length_exceeded_behavior", "prompt_truncate_len"}),
        rerank="/rerank",  # PyPI langchain-fireworks, rerank.py
    ),
    Profile(
        "alibaba",
        "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
        (".aliyuncs.com",),
        extras=frozenset({"vl_high_resolution_images", "translation_options"}),
    ),
    Profile(
        "databricks",
        "https://docs.databricks.com/aws/machine-learning/foundation-model-apis/api-reference",
        (".cloud.databricks.com", ".azuredatabricks.net", ".gcp.databricks.com"),
    ),
    Profile(
        "cloudflare",
        "https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
        ("api.cloudflare.com",),
    ),
    Profile("cohere", "https://docs.cohere.com/docs/compatibility-api", ("api.cohere.ai", "api.cohere.com")),
    Profile("github", "https://docs.github.com/rest/models/inference", ("models.github.ai",)),
    Profile("sambanova", "https://docs.sambanova.ai/docs/en/features/openai-compatibility", ("api.sambanova.ai",)),
    Profile(
        "nebius",
        "https://docs.tokenfactory.nebius.com/api-reference/introduction",
        ("api.tokenfactory.nebius.com", "api.studio.nebius.com"),
    ),
    Profile(
        "novita",
        "https://novita.ai/docs/guides/llm-api",
        ("api.novita.ai",),
        rerank="/rerank",  # https://novita.ai/docs/api-reference/model-apis-llm-create-rerank
    ),
    Profile(
        "scaleway", "https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api", ("api.scaleway.ai",)
    ),
    Profile("baseten", "https://docs.baseten.co/reference/inference-api/chat-completions", ("inference.baseten.co",)),
    # Images cost by width, height and steps, relative to 1024x1024: https://deepinfra.com/pricing.
    Profile(
        "deepinfra",
        "https://deepinfra.com/docs/openai_api",
        ("api.deepinfra.com",),
        image_pixels=1 << 20,
    ),
    Profile("nvidia", "https://build.nvidia.com/llms.txt", ("integrate.api.nvidia.com",)),
    Profile("ollama", "https://docs.ollama.com/api/openai-compatibility", ("ollama.com",)),
    # Jina and Voyage embed and rerank. Voyage says `top_k`, and lists what it ranked as `data`.
    Profile("jina", "https://api.jina.ai/redoc", ("api.jina.ai",), rerank="/rerank"),
    Profile(
        "voyage",
        "https://docs.voyageai.com/reference/reranker-api",
        ("api.voyageai.com",),
        rerank="/rerank",
        rerank_top="top_k",
    ),
    Profile(
        "siliconflow",
        "https://docs.siliconflow.com/en/api-reference/rerank/create-rerank",
        ("api.siliconflow.com", "api.siliconflow.cn"),
        rerank="/rerank",
    ),
    Profile("vllm", "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html", rerank="/rerank"),
    Profile("tgi", "https://huggingface.co/docs/text-generation-inference/messages_api"),
    # Text Embeddings Inference; its base URL has no /v1 where it reranks.
    Profile("tei", "https://huggingface.github.io/text-embeddings-inference/", rerank="/rerank", rerank_texts=True),
    Profile("lmstudio", "https://lmstudio.ai/docs/api/openai-api"),
    Profile("llamacpp", "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md", rerank="/rerank"),
)
EXTRAS = frozenset().union(*(row.extras for row in ROWS))
