"""Day 20 of the journey."""
