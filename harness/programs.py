"""Programs of the system that tests need. Without one they fail and say how to get it: a skipped test tells nobody."""

import shutil


class MissingProgram(Exception):
    """A program is not installed; the message says by what it would be."""


def needed(package: str, *names: str) -> str:
    """The path of the first of a package's programs that is there; without names it is called like its package."""
    for name in names or (package,):
        if path := shutil.which(name):
            return path
    raise MissingProgram(f"{(names or (package,))[0]} is not installed: apt-get install {package}")
