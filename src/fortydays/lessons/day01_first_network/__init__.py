"""Day 1 of the journey."""
