#!/usr/bin/env python3
"""Django's command line: `python manage.py stt` runs the whole service on one machine."""

import os
import sys


def main() -> None:
    """Run a management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sttproject.settings")
    from django.core.management import execute_from_command_line  # after the settings module is named

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
