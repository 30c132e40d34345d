"""A whole Atrium, with calls under way, while something happens to it."""
