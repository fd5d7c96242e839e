"""YAML as text: guards, scalars, syntax, and a writer."""
