"""Cohere's API v2, as providers speak it: chat, embeddings and reranking.

Facts are from the types of Cohere's SDK for Python (cohere 7.3.1, `cohere/types` and `cohere/v2`) where not said otherwise.
"""
