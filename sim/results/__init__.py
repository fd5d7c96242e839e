"""The results of a run: in memory, in a checkpoint, and in a file. May import `experiment` and below."""
