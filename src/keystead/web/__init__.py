"""What every HTTP door shares: the head of a request, how far what it says is believed, and its id."""
