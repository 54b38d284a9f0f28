"""Day 19 of the journey."""
