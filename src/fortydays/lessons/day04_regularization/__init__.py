"""Day 4 of the journey."""
