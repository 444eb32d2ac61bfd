"""The command line: speaks the management API's words, to a server or to the local data directory."""
