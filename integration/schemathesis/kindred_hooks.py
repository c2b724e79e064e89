"""What serve's OpenAPI document cannot say of an event in JSON Schema's words.

There 7.0 is an integer, and every string may hold a NUL. serve refuses both (docs/formats.md).
"""

import schemathesis


def _sayable(value):
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_sayable(v) for v in value]
    if isinstance(value, dict):
        return {_sayable(k): _sayable(v) for k, v in value.items()}
    return value


@schemathesis.hook
def map_body(context, body):
    return _sayable(body)
