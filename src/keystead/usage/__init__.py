"""What is counted on the hot path, and how it gets to the primary."""
