"""The command line, and the composition that runs all parts in one place."""
