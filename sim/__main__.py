"""`python -m sim` is the command `retrysim`."""

from sim.cli import main

main()
