"""Day 8 of the journey."""
