"""Limits over two real gateway processes."""
