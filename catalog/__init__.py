"""What may be called, and under which rules: providers, models, prices, access."""
