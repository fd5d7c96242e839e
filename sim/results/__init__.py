"""What came out of a run, in memory and in a file. May import `experiment` and below."""
