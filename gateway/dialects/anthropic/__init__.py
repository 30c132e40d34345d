"""Anthropic's Messages API: as what clients speak, and as what providers speak.

Facts are from Anthropic's API reference and the types of its SDK for Python (anthropic 2.12.0) where not said otherwise.
"""
