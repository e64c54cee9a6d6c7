"""Clients of the service; they use only its wire protocol."""
