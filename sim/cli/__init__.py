"""The command line: one module a command, imported when the command is used. `main` is the way in.

May import everything but `testing`.
"""
