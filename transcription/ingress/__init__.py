"""The way in: the server, who may connect, the consumer, and what turns its frames into speech probabilities."""
