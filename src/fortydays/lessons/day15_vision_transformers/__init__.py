"""Day 15 of the journey."""
