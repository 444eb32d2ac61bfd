"""`make bench`: how fast Keystead is on this machine, written to `docs/benchmarks.md`."""
