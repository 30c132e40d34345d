"""Which addresses a provider may have."""

import pytest

from catalog.addresses import check_base_url, is_private

PUBLIC = [
    "https://api.example.com/v1",
    "https://api.example.com:8443/v1",
    "https://1.1.1.1/v1",
    "https://[2606:4700::1111]/v1",
]
PRIVATE = [
    "http://127.0.0.1:9100/v1", "https://localhost/v1", "https://10.1.2.3/v1", "https://192.168.0.9/v1", "https://172.16.0.1/v1",
    "https://169.254.169.254/latest", "https://[::1]/v1", "https://[fe80::1]/v1", "https://[::ffff:10.0.0.1]/v1",
    "https://vllm:8000/v1", "https://engine.internal/v1", "https://2130706433/v1", "https://0x7f.1/v1", "https://0.0.0.0/v1",
    "https://100.64.0.1/v1",
]  # fmt: skip
WRONG = [
    "", "api.example.com/v1", "ftp://api.example.com", "https://", "https://user:pass@api.example.com/v1",
    "https://user@api.example.com", "https://api.example.com/v1?key=x", "https://api.example.com/v1#part",
    "https://api.example.com/v1?", "https://api.example.com:99999/v1", "https://api.exa mple.com", "https://api.example.com\\@evil.com",
    "https://api.example.com/\r\nX: y", "javascript:alert(1)", "https://[::1", "https://" + "a" * 600,
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_over_https_is_fine_for_anybody(address: str) -> None:
    assert check_base_url(address, internal=False) == address
    assert check_base_url(address + "/", internal=True) == address


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_asks_for_internal(address: str) -> None:
    with pytest.raises(ValueError, match="private address"):
        check_base_url(address, internal=False)
    assert check_base_url(address, internal=True) == address


@pytest.mark.parametrize("address", WRONG)
@pytest.mark.parametrize("internal", [True, False])
def test_what_is_no_address_is_refused(address: str, internal: bool) -> None:
    with pytest.raises(ValueError, match=r"address|host"):
        check_base_url(address, internal=internal)


def test_a_public_provider_is_not_called_in_the_clear() -> None:
    with pytest.raises(ValueError, match="https"):
        check_base_url("http://api.example.com/v1", internal=False)


def test_public_names_are_not_taken_for_private_ones() -> None:
    assert not is_private("api.openai.com")
    assert not is_private("8.8.8.8")
