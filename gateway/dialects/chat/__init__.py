"""OpenAI's chat completions where the other side speaks something else: read and written in canonical form."""
