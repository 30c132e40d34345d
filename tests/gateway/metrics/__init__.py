"""Metrics: counted, merged, written down."""
