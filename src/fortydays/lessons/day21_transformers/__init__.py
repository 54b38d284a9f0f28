"""Day 21 of the journey."""
