"""OpenAI's formats for sound: speech made of texts, and texts made of speech."""
