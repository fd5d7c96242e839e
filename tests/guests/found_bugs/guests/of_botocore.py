"""A client of AWS in the mode `standard`, told to try often."""

from botocore.config import Config

from sim.guests import GuestRetrier
from sim.guests.transports.botocore import client
from sim.guests.transports.replies import Reply

LIBRARY = "botocore"


class Standard(GuestRetrier):
    """Makes its client once, since a client takes long to make."""

    kind = "standard"

    def __init__(self, options):
        super().__init__(options)
        config = Config(retries={"mode": "standard", "total_max_attempts": 12})
        self.sqs = client("sqs", answers={"failed": Reply(503, b"{}")}, body=b"{}", config=config)

    def retry(self, call):  # noqa: ARG002  # the client of a process calls for the request that uses it
        return self.sqs.list_queues()
