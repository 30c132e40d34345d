"""OpenAI's images: making and editing them, billed by tokens (GPT Image) or by image (all others)."""
