"""Day 14 of the journey."""
