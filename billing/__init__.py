"""Money and use: quotas, usage events, roll-ups, spend."""
