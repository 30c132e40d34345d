"""Gemini's dialect, of clients and of providers: Google's Gemini API and Vertex AI."""
