"""Brought: models that people bring, of any kind, made ready to be compared."""

from crosscheck.brought.wrap import as_model

__all__ = ["as_model"]
