"""Day 9 of the journey."""
