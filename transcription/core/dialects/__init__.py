"""Other services' protocols, so that a client of theirs is served with its address changed and nothing else.

A dialect is pure: it translates between one client's frames and the native protocol (`core/protocol.py`), which is all
that the session knows. What admits, limits, records and counts a session is the same for all.
"""
