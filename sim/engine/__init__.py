"""Engines: they turn one cell of a scenario into per-request records. May import scenario and everything below it."""
