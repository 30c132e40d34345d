"""The pictures that a request to edit images holds: in JSON as objects or texts, in a form as files."""

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from gateway.dialects import parameters
from gateway.dialects.canonical import cannot
from gateway.dialects.members import Members
from gateway.dialects.multipart import Form
from gateway.errors import RequestError

MOST = 16  # OpenAI's, "Create image edit"; a mask and markup come on top
EDITED = ("image", "image[]", "images")
NAMES = (*EDITED, "mask", "markup")
_PARTS = frozenset({"image_url", "url", "type", "detail"})
_SCHEMES = ("https://", "http://", "data:")
_INLINE = re.compile(r"data:(image/[a-z0-9.+-]{1,40});base64,", re.IGNORECASE)
_STORED = (
    'a picture is its "image_url" alone, inline or a public address: files stored at the provider belong to its account, '
    "which all callers share here."
)


def count(members: Members) -> int:
    """Return how many pictures a request holds. Raises RequestError for what the provider keeps, and too many."""
    found = sum(
        len(members.files(name))
        if isinstance(members, Form)
        else len([_address(one, name) for one in _held(members, name)])
        for name in NAMES
        if name in members
    )
    if found > MOST + 2:
        raise RequestError(f"Send at most {MOST} images to edit.", param="image")
    return found


def inline(members: Members, who: str) -> Iterator[tuple[str, str]]:
    """Yield (media type, base64) of each picture to edit, for a provider (`who`) that takes no addresses.

    Raises RequestError where one is not sent inline.
    """
    for name in EDITED:
        if name not in members:
            continue
        if isinstance(members, Form):
            for file in members.files(name):
                yield file.content_type or "image/png", b64encode(members.data(file)).decode()
            continue
        for one in _held(members, name):
            address = _address(one, name)
            found = _INLINE.match(address)
            if found is None:
                raise cannot(name, who, "it takes pictures as data URLs in base64 alone.")
            yield found[1].lower(), address[found.end() :]


def _held(members: Members, name: str) -> list[Any]:
    given = parameters.value(members, name)
    return [one for one in (given if isinstance(given, list) else [given]) if one is not None]


def _address(picture: Any, param: str) -> str:
    """Return where a picture is: `image_url` (OpenAI), `url` (xAI), or the text alone.

    Raises RequestError for what is neither inline nor at a public address.
    """
    address = picture
    while isinstance(address, dict):
        if any(value is not None for name, value in address.items() if name not in _PARTS):
            raise parameters.unsupported(param, _STORED)
        address = address.get("image_url", address.get("url"))
    if not isinstance(address, str):
        raise RequestError(
            f'The parameter "{param}" must be an object with an "image_url": an address, or the image as a data URL.',
            param=param,
        )
    if not address[:8].lower().startswith(_SCHEMES):
        raise parameters.unsupported(param, _STORED)
    return address
