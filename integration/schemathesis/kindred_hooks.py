"""What serve's OpenAPI document cannot say in JSON Schema's words.

There 7.0 is an integer, integers have any size, and every string may hold a NUL. serve refuses all three
(docs/formats.md). An event that continues its session says the time when it occurred. A cursor
is good only if an answer to the same question has given it, and an expression if it is one of package rule. There
are no placements.
"""

import re

import schemathesis


def _sayable(value):
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, int) and abs(value) >= 2**53:
        return value % 2**53
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


_RULE = "product.stock > 10"


def _placement(name):
    return isinstance(name, str) and re.fullmatch("[a-z0-9-]{1,40}", name) is not None


def _query(query):
    """Gives the parameters good expressions, where what they are is a text, as the document says."""
    texts = {"boost": "2:" + _RULE, "min_share": "0.5:" + _RULE}
    good = {"filter": _RULE, "diversity": "category:2"}
    for name, value in list(query.items()):
        if name == "cursor" and isinstance(value, str) and len(value) <= 100:
            del query[name]
        elif name == "placement" and _placement(value):
            del query[name]
        elif name in good and isinstance(value, str) and len(value) <= 2000:
            query[name] = good[name]
        elif name in texts and isinstance(value, list) and len(value) <= 16:
            query[name] = [texts[name]] if value else []


def _control(control):
    """The same for the member kindred of an event. The shares of an answer are one whole at most."""
    cursor = control.get("cursor")
    if isinstance(cursor, str) and len(cursor) <= 100:
        del control["cursor"]
    if _placement(control.get("placement")):
        del control["placement"]
    names = control.get("placements")
    if isinstance(names, list) and 1 <= len(names) <= 8 and all(map(_placement, names)) and len(set(names)) == len(names):
        del control["placements"]
    if isinstance(control.get("filter"), str):
        control["filter"] = _RULE
    for name in ("boost", "min_share"):
        rules = control.get(name)
        if isinstance(rules, list) and name == "min_share" and len(rules) <= 16:
            rules = control[name] = rules[:1]
        for rule in rules if isinstance(rules, list) else []:
            if isinstance(rule, dict) and isinstance(rule.get("where"), str) and rule["where"]:
                rule["where"] = _RULE


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.query, dict):
        _query(case.query)
    if isinstance(case.body, dict) and isinstance(case.body.get("kindred"), dict):
        _control(case.body["kindred"])
    if isinstance(case.body, dict) and case.body.get("continues_session") and isinstance(
        case.body.get("occurred_at"), str
    ):
        case.body["occurred_at"] = "2026-03-01T12:00:00Z"
