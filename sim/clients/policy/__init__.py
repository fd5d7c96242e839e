"""The parts of a policy: each a frozen option model and the state machine that it describes.

A part knows no clock, no request and no chance: instants and answers come in, decisions go out.
"""
