"""A blank day, small and complete. `forty new-day` makes a day of it; docs/adding-a-day.md tells how to go on."""
