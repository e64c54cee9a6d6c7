"""Who gets in and who gives way: rules over one picture of the cluster."""
