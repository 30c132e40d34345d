"""What tests run against: PostgreSQL, Redis, Chromium, a real Atrium; started when first asked for, never left running."""
