"""The gateway's own way to HTTP, beside ASGI: lean, and with a bound for everything a client may do."""
