"""The management API's routes, one file for each kind of thing."""
