"""What people need of the outside: slow hashes of their passwords, and mail."""
