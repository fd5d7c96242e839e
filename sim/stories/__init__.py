"""One request told in words and times: its story, its time line, its trace, and what it broke.

May import `text`, `contracts` and below.
"""
