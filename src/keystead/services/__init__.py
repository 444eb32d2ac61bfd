"""One file per verb: who may, what is read, what the rules say, what is written. Owns transactions."""
