"""What people use today, each in its smallest honest configuration, to compare with in one run."""
