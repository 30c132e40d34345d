"""OpenAI's Responses API as what clients speak, and as what OpenAI and Azure serve.

Facts are from the types of OpenAI's SDK for Python (openai 3.52.0, types/responses) where not said otherwise.
"""
