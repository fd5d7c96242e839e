"""Engines: they turn one cell of a scenario into records of its requests. May import `scenario` and all below it."""
