"""Day 16 of the journey."""
