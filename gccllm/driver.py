"""What the shim calls, after the real cc1 or collect2 has done its work:

    driver carry OUT.s TESTS -- cc1 ARGUMENTS        append the unit to its own assembly
    driver apply OUT.s FINGERPRINT -- cc1 ARGUMENTS  put a stored rewrite in the place of OUT.s
    driver lock OUT.s LOCKFILE -- cc1 ARGUMENTS      put the rewrites of a lock file into OUT.s
    driver link WORKDIR -- collect2 ARGUMENTS        optimise the program that was just linked

Exits 0 whatever happens: gcc's result is already there, and it stays unless something better was
proven. Reasons are counted in the store's ``events``. Only what a mode needs is imported.
"""

from __future__ import annotations

import os
import sys

from gccllm.events import count_event

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Run one mode; 2 for a call that makes no sense, else 0."""
    if len(arguments) < 3 or "--" not in arguments:
        print(__doc__, file=sys.stderr)
        return 2
    at = arguments.index("--")
    mode, given, command = arguments[0], arguments[1:at], arguments[at + 1 :]
    try:
        if mode == "apply":
            from gccllm.applying import apply_rewrite

            count_event(apply_rewrite(given[0], given[1] if len(given) > 1 else "", command))
        elif mode == "carry":
            from gccllm.carrying import carry_unit

            carry_unit(given[0], given[1] if len(given) > 1 else "", command)
        elif mode == "lock":
            from gccllm.locking.glance import names_unit

            lock = given[1] if len(given) > 1 else ""
            if not names_unit(lock, command):
                count_event("lock:no-entry")
                return 0
            from gccllm.locking.applying import apply_lock

            count_event(apply_lock(given[0], lock, command))
        elif mode == "link":
            from gccllm.linking import optimize_link

            optimize_link(given[0], command)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Exception as error:
        # The one place where everything stops: the user has gcc's result and must keep it.
        reason = getattr(error, "reason", "driver-failed")
        count_event(f"{mode}:{reason}")
        if os.environ.get("GCCLLM_VERBOSE"):
            import traceback

            traceback.print_exc()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
