"""The subcommands of `crosscheck`, one to a file: each turns options into tables."""
