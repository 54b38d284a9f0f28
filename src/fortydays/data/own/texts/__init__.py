"""A reader's own texts with labels: what is in a table or a folder of them, what can be used, and as what."""
