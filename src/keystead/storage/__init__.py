"""Where things are kept: implementations of the stores in `ports`."""
