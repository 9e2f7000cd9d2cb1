"""Planted bugs in blocks that others could have written, and how many are caught and placed."""
