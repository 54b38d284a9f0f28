"""What is asked of a network: its labels, its outputs, the metrics by which it is judged, and what an answer is."""
