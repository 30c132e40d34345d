"""Parts of pages, offered to templates by the one tag library `ui`."""
