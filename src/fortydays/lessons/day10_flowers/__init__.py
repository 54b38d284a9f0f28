"""Day 10 of the journey."""
