"""Day 6 of the journey."""
