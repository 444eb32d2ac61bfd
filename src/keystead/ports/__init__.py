"""The seams: what the inside needs from the outside, as small Protocols in the domain's words."""
