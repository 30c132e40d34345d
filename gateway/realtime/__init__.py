"""OpenAI's Realtime API: a WebSocket on each side, events passed on between them, each response metered on its own."""
