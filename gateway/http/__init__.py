"""The HTTP/1.1 client that calls providers (docs/adr/0007-own-upstream-client.md)."""
