"""Day 7 of the journey."""
