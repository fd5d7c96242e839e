"""What is wrong with a scenario: where it stands in the file, and how it is said."""
