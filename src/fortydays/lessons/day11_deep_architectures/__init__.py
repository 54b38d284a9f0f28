"""Day 11 of the journey."""
