"""The dashboard: pages for the people who manage keys. Calls services; never storage, never the API."""
