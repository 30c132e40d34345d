"""Images to providers of OpenAI's format: bytes pass as they are, but for the model."""

from collections.abc import Callable, Mapping

import msgspec

from gateway.dialects.images.bounds import pixels
from gateway.dialects.images.fields import Fields
from gateway.dialects.images.stream import ImageStream
from gateway.dialects.images.usage import said, usage_of
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.multipart import Form
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.parameters import unsupported
from gateway.dialects.profiles import profile_of
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest


class ImageLane:
    """See `Lane`."""

    def __init__(self, path: str, place: Callable[[DeploymentPolicy, str], str] = lambda _, path: path) -> None:
        """`path`: of the operation; `place` returns where it stands below the base URL of a deployment."""
        self._path, self._place = path, place

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        members, path = request.members, self._place(deployment, self._path)
        profile, size = profile_of(deployment), Fields(members).text("size").lower()
        _check_size(size, profile.image_pixels)
        if isinstance(members, Form):
            body = members.replaced({"model": deployment.upstream_model.encode()})
            return Outbound(path, body, {"content-type": members.content_type})
        body = members.replaced({"model": msgspec.json.encode(deployment.upstream_model)})
        return Outbound(path, _by_edges(body, size) if profile.image_edges else body)

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = said(body)
        if answer is None:
            return None
        if answer.error:
            return Whole(b"", None, as_detail(answer.error), status_of(answer.error))
        images = request.choices if answer.data is None else len(answer.data)
        return Whole(body, usage_of(answer.usage, images))

    def stream(self, request: ParsedRequest) -> ImageStream:
        """See `Lane.stream`."""
        return ImageStream()


def _check_size(size: str, most_pixels: int) -> None:
    """Refuse what a provider bills as more than one image, as an image has one price here."""
    given = pixels(size) if most_pixels else None
    if given is not None and given[0] * given[1] > most_pixels:
        raise unsupported(
            "size",
            f"the provider of this model bills larger images by their pixels. Ask for at most {most_pixels:,} pixels.",
        )


def _by_edges(body: bytes, size: str) -> bytes:
    """Return a body that says a size as its width and height; values keep their bytes."""
    given = pixels(size)
    if given is None:
        return body
    members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    edges = {"width": given[0], "height": given[1]}
    return msgspec.json.encode({name: value for name, value in members.items() if name != "size"} | edges)
