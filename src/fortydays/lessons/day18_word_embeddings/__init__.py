"""Day 18 of the journey."""
