"""Pages for a browser: one HTML file that shows saved results, and the live page. May import `api` and below."""

from sim.report.report import write_report

__all__ = ["write_report"]
