"""Day 23 of the journey."""
