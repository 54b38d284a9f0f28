"""Day 22 of the journey."""
