"""Who may read `/metrics`."""

from typing import Any

import pytest
from pytest_django import Settings

from portal.metrics import may_read

LOCAL, FAR = ("127.0.0.1", 5000), ("192.0.2.7", 5000)


def scope(client: tuple[str, int] | None, **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": client, "headers": pairs}


def test_without_a_token_this_machine_alone(settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert may_read(scope(LOCAL))
    assert may_read(scope(("::1", 5000)))
    assert not may_read(scope(FAR))
    assert not may_read(scope(None))


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "via"])
def test_a_proxy_on_this_machine_lets_nobody_in(settings: Settings, header: str) -> None:
    settings.METRICS_TOKEN = ""
    assert not may_read(scope(LOCAL, **{header: "192.0.2.7"}))


def test_with_a_token_whoever_has_it(settings: Settings) -> None:
    settings.METRICS_TOKEN = "correct-horse"
    assert may_read(scope(FAR, authorization="Bearer correct-horse"))
    for given in ("", "Bearer ", "Bearer wrong", "Bearer correct-hors\u00e9"):
        assert not may_read(scope(LOCAL, authorization=given))
