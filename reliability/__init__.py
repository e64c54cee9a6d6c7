"""What the service survives: faults under load (`chaos`), hours of use (`soak`). Started by `python -m reliability`."""
