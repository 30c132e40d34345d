"""Template filters of the catalog app."""
