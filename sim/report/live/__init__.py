"""`retrysim live`: the page of a report with sliders for the numbers of the scenario, served to this machine alone.

`knobs.py` finds the numbers, `opened.py` is the scenario they belong to, `stages.py` simulates it with other numbers,
`server.py` answers the page. Nothing here is a result: what is seen can be saved as a scenario and run.
"""
