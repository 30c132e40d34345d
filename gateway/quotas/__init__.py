"""Quotas: one mechanism for rates and money."""
