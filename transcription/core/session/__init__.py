"""One conversation as a state machine: audio and messages in, effects out."""
