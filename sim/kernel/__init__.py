"""Time, chance, records and options: what every other layer stands on. Imports nothing else of `sim`."""
