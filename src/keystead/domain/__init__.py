"""The rules: pure functions and values. Standard library and RE2 only; no I/O, no clock, no globals."""
