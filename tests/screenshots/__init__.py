"""`make screenshots`: every page for every persona, in both widths and themes."""
