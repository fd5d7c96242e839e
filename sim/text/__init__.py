"""A run told in tables and sentences. May import `expect`, `measure` and below."""
