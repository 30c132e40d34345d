"""Says what happens to calls: one structured line each, and alarms."""

import logging

import msgspec

from gateway.types import CallLine

calls = logging.getLogger("atrium.calls")
alarms = logging.getLogger("atrium.alarms")

_encoder = msgspec.json.Encoder()


class LoggedCalls:
    """The `Observer` that writes to the log: ids, counts and codes, one JSON object a line."""

    def call_ended(self, line: CallLine) -> None:
        """See `Observer.call_ended`."""
        if calls.isEnabledFor(logging.INFO):
            calls.info("%s", _encoder.encode(line).decode())

    def alarm(self, code: str, subject: str) -> None:
        """See `Observer.alarm`."""
        alarms.error("%s %s", code, subject)
