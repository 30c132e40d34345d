"""The plain parameters of a request that may be JSON or a form, read alike."""

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.multipart import Form
from gateway.errors import RequestError


class Fields:
    """Reads parameters; a wrong one is a RequestError that names it."""

    __slots__ = ("_members",)

    def __init__(self, members: Members) -> None:
        self._members = members

    def model(self) -> str:
        """Return the model's name."""
        if not isinstance(self._members, Form):
            return parameters.model_name(self._members)
        name = self.text("model")
        if not name or len(name) > parameters.MAX_MODEL_NAME or not name.isprintable():
            raise RequestError(
                'The field "model" is missing or no name. Name the model to call; GET /v1/models lists yours.',
                param="model",
            )
        return name

    def text(self, name: str) -> str:
        """Return a text, "" where there is none."""
        given = self._value(name)
        if given is None:
            return ""
        if not isinstance(given, str):
            raise RequestError(f'The parameter "{name}" must be a text.', param=name)
        return given

    def count(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number from `least` to `most`, None where there is none."""
        given = self._value(name)
        if isinstance(given, str) and given.isascii() and given.isdecimal() and isinstance(self._members, Form):
            given = int(given) if len(given) < 10 else -1
        if given is None:
            return None
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise RequestError(f'The parameter "{name}" must be a whole number from {least} to {most}.', param=name)
        return given

    def flag(self, name: str) -> bool:
        """Return whether something is asked for; forms spell it as JSON does."""
        given = self._value(name)
        if isinstance(self._members, Form) and isinstance(given, str):
            given = {"true": True, "false": False, "": False}.get(given.lower(), given)
        if given is not None and not isinstance(given, bool):
            raise RequestError(f'The parameter "{name}" must be true or false.', param=name)
        return bool(given)

    def _value(self, name: str) -> object:
        if isinstance(self._members, Form):
            return self._members.value(name)
        given: object = parameters.value(self._members, name)
        return given
