"""Planted bugs, and how many of them the cross-check catches, places and names."""
