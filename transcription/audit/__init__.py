"""What is kept of a conversation, how it is shown, and how it is forgotten."""
