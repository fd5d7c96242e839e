"""One module for each format: where its facts come from, how it counts, `fits`, `read` and `write`."""
