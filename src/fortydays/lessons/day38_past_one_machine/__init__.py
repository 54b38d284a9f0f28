"""Day 38 of the journey."""
