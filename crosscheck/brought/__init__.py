"""Brought: models that people bring, of any kind, made ready to be compared."""
