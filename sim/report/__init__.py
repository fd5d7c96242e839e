"""Pages for a browser: one HTML file that shows saved results, and the live page. May import `api` and below."""
