"""For tests: strategies of scenarios, the explorer, the pytest plugin. May import all of `sim` but the command line."""
