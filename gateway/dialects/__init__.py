"""Wire formats: pure functions and small objects, never async."""
