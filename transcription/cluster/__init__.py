"""The Redis side of a web process: places and load, audio and jobs on their way, what became of them."""
