"""API keys: issued and found, watched while in use, shown in the admin."""
