"""What a policy owes to whom it serves, recounted from the history alone.

`sim.contracts.policy.course` reads the events of each request as steps: tries, copies, gates, answers, decisions. The
others count with these steps again what the terms state (`sim.promises.policy`), apart from the code that plays a
policy.
"""
