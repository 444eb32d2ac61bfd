"""The replica: this node's memory-mapped copy of what verdicts rest on, and what keeps it level."""
