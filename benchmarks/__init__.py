"""Measurements. Ratios of one run count; absolute figures of different runs do not compare."""
