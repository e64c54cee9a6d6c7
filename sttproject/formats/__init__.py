"""How the admin writes times where Django's own way would not say in which time zone (`FORMAT_MODULE_PATH`)."""
