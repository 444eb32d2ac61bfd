"""Keystead: self-hosted API keys."""

__version__ = "0.1.0"
