"""A worker as any other, run in Celery's place, but for a device that fails as `CHAOS_FAILS` says.

`always`; `later`: for good after ten decodes; `often`: four decodes of ten, at random, from the tenth on.
"""

import itertools
import os
import random
import sys
from typing import Any

SOUND = 10


def fail() -> None:
    """Change this process' engine."""
    from workers.engines.echo import EchoEngine

    decode, count, chance = EchoEngine.decode, itertools.count(), random.Random(1)
    fails = {
        "always": lambda _: True,
        "later": lambda n: n >= SOUND,
        "often": lambda n: n >= SOUND and chance.random() < 0.4,
    }[os.environ["CHAOS_FAILS"]]

    def decode_or_not(self: EchoEngine, batch: list[Any]) -> list[Any]:
        if fails(next(count)):
            raise RuntimeError("CUDA failed with error an illegal memory access was encountered")
        return decode(self, batch)

    EchoEngine.decode = decode_or_not


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sttproject.settings")
    django.setup()
    fail()
    from celery.__main__ import main

    sys.argv[0] = "celery"
    sys.exit(main())
