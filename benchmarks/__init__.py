"""How fast: the same block in every engine, each in a process of its own."""
