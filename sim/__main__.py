"""`python -m sim` is the command `retrysim`."""

from sim.cli.main import main

main()
