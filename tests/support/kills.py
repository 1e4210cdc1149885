"""kill -9 at random moments: the same ones each time, or those of CAPSULE_TEST_SEED."""
import os
import random
import sys
import time

from loop import strays_of

KILLS = 20


def chance(what, seed):
    """Where the moments come from; the seed is printed, so that a failure can be had again."""
    seed = int(os.environ.get("CAPSULE_TEST_SEED", seed))
    print(f"{what}: CAPSULE_TEST_SEED={seed}", file=sys.stderr)
    return random.Random(seed)


def kill_after(process, seconds, folder=None):
    """Ends `process` by kill -9 after that time; gives what is left of its children that name `folder`, after a moment;
    a warm pool is none of them."""
    time.sleep(seconds)
    process.kill()
    process.communicate()
    # Children die with their parent; give the kernel a moment to say so.
    deadline = time.monotonic() + 5
    while folder and strays_of(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    return strays_of(folder) if folder else []
