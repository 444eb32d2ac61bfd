"""What people need of the outside: slow hashes of their passwords, counted guesses at them, and mail."""
