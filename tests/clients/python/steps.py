"""Runs the calls of a script one after the other and writes one JSON line for each."""

import json

ABSENT = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"


def plain(value):
    """What a client returns, as plain JSON: bytes and unknown objects become text."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    # Clients wrap answers in objects that hold a dictionary.
    inner = getattr(value, "_raw", None) or getattr(value, "__dict__", None)
    return plain(inner) if inner else str(value)


def report(command, call, outcome):
    """Writes the line of one call, a use of Kubo's `command`."""
    print(json.dumps({"command": command, "call": call, **outcome}), flush=True)


def failure(error):
    """What a failed call reports: the kind of error and its words."""
    return {"error": f"{type(error).__name__}: {getattr(error, 'message', None) or error}"}


def step(command, call, run):
    """Runs `run`, reports, and returns its result, or None if it failed."""
    try:
        result = run()
    except Exception as error:  # every failure is an outcome here
        report(command, call, failure(error))
        return None
    report(command, call, {"ok": plain(result)})
    return result


async def async_step(command, call, run):
    """As `step`, for a function that gives an awaitable."""
    try:
        result = await run()
    except Exception as error:  # every failure is an outcome here
        report(command, call, failure(error))
        return None
    report(command, call, {"ok": plain(result)})
    return result
