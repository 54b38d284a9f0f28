"""Day 17 of the journey."""
