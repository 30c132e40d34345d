"""The append-only usage journal of one gateway process."""
