"""Which addresses may be called where a provider is not marked as internal."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.addresses import PrivateAddressError, PublicResolver, is_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to judge
        ("224.0.0.1", False),
        ("::1", False),
        ("fc00::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


class Names(AbstractResolver):
    """A resolver that knows what it is told."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


async def test_a_name_yields_its_public_addresses_only() -> None:
    found = await PublicResolver(Names("10.0.0.1", "8.8.8.8")).resolve("example.com")
    assert [result["host"] for result in found] == ["8.8.8.8"]
    with pytest.raises(PrivateAddressError):
        await PublicResolver(Names("10.0.0.1", "::1")).resolve("rebind.example.com")
