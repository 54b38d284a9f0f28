"""Day 12 of the journey."""
