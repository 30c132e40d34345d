"""Pages of the home app."""
