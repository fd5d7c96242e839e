"""What a simulation leaves behind: its words, its events, the record of each request, and an index of all.

The waist of the house: everything below makes facts, everything above judges, counts, tells and draws them. May import
`kernel`.
"""

from sim.history.events import Event
from sim.history.recorder import History
from sim.history.records import Requests
from sim.history.vocabulary import Cause, Outcome

__all__ = ["Cause", "Event", "History", "Outcome", "Requests"]
