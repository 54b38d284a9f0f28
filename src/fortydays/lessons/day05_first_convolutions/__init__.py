"""Day 5 of the journey."""
