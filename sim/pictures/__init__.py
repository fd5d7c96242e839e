"""All that Matplotlib draws; every picture takes a small frozen object of data.

May import `stories`, `text` and below.
"""
