"""Day 13 of the journey."""
