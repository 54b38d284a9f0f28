"""Day 2 of the journey."""
