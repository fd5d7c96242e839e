"""Converters: configurations of retries that people have, turned into policies of scenarios and back.

`documents` reads a file with the place of every value, `fields` takes typed values from it and remembers which ones
were left, `formats/` has one module for each format, `writing` makes sure that what is written means the policy it was
made of, and `scenarios` puts policies into a scenario. `catalogue` lists the formats and guesses which one a file has.

The room may use `scenario` and what lies below it, but nothing that simulates.
"""
