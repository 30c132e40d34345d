"""Azure OpenAI: OpenAI's formats at addresses of its own. Source: "Azure OpenAI in Foundry Models REST API reference"."""

from urllib.parse import quote

from gateway.snapshot import DeploymentPolicy

DEFAULTS = {"api_version": "v1"}
UNDATED = frozenset({"v1", "preview"})


def endpoint(base_url: str) -> str:
    """Return the resource's endpoint of an address that may have /openai or /openai/v1 at its end: not all is below these."""
    return base_url.rstrip("/").removesuffix("/openai/v1").removesuffix("/openai")


def path_of(deployment: DeploymentPolicy, operation: str) -> str:
    """Return the path of an operation such as /chat/completions, below the resource's endpoint.

    The option `api_version` is "v1" or "preview" for the API that names its model in the body, else a date, whose API has
    the name of the deployment in its path.
    """
    version = _version(deployment)
    if version in UNDATED:
        return "/openai/v1" + operation + ("?api-version=preview" if version == "preview" else "")
    name = quote(deployment.upstream_model, safe="")
    return f"/openai/deployments/{name}{operation}?api-version={quote(version, safe='')}"


def realtime_path(deployment: DeploymentPolicy) -> str:
    """Return the path of a realtime session: `model` names the deployment, or `deployment` does in a dated API."""
    version, name = _version(deployment), quote(deployment.upstream_model, safe="")
    if version in UNDATED:
        return f"/openai/v1/realtime?model={name}"
    return f"/openai/realtime?api-version={quote(version, safe='')}&deployment={name}"


def undated(deployment: DeploymentPolicy) -> bool:
    """Say whether a deployment is called by the API that names its model in the body: the one that has Responses."""
    return _version(deployment) in UNDATED


def rerank_path(deployment: DeploymentPolicy) -> str:
    """Return where Cohere's models rerank, below the resource's endpoint: they speak Cohere's API there.

    Source: "Cohere Rerank models", https://learn.microsoft.com/azure/ai-foundry/how-to/deploy-models-cohere-rerank
    """
    return "/providers/cohere/v2/rerank"


def _version(deployment: DeploymentPolicy) -> str:
    return deployment.options.get("api_version") or DEFAULTS["api_version"]
