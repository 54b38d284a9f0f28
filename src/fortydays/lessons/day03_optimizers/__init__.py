"""Day 3 of the journey."""
