"""HTTP: the management API, verify, forward-auth and problems. Parses, calls one service, renders."""
