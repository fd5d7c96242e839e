"""What a simulation leaves behind: its words, its events, the record of each request, and an index of all.

The waist of the house: some rooms write it (they make facts), others read it (they judge, count, tell and draw). May
import `kernel`.
"""

from sim.history.events import Event
from sim.history.recorder import History
from sim.history.records import Requests
from sim.history.vocabulary import Cause, Outcome

__all__ = ["Cause", "Event", "History", "Outcome", "Requests"]
