"""What every HTTP door shares: the head of a request, and how far what it says is believed."""
