"""docs/settings.md, made from the settings themselves: `python -m emailgency.settings_reference > docs/settings.md`."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from emailgency.settings import Settings
from emailgency.settings_file import allowed, listed, section

PREFACE = """\
# Settings

One TOML file, named by `twistd -n emailgency --settings FILE`. Every key may be left out; the defaults run. An
unknown key and a wrong value stop the start (and leave a running server as it was, on reload) with file, line and
what is allowed. SIGHUP reads the file again.

This page is made by `python -m emailgency.settings_reference`.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([PREFACE, *_section(Settings, ())])


def _section(kind: type[Struct], path: tuple[str, ...], several: bool = False) -> Iterator[str]:
    fields = msgspec.structs.fields(kind)
    keys = [field for field in fields if section(field.type) is None]
    name = f"[[{'.'.join(path)}]]" if several else f"[{'.'.join(path)}]"
    yield f"## {name}\n" if path else "## At the top of the file\n"
    if path:
        yield cleandoc(kind.__doc__ or "") + "\n"
    if keys:
        yield "| key | default | allowed | meaning |\n|---|---|---|---|"
        for field in keys:
            cells = (f"`{field.encode_name}`", _default(field), allowed(field.type), description(field.type))
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""
    for field in fields:
        inner = section(field.type) or listed(field.type)
        if inner is not None:
            yield from _section(inner, (*path, field.encode_name), several=inner is listed(field.type))


def description(kind: Any) -> str:
    """What the Meta of a field says; every field has one, a test asks."""
    if get_origin(kind) is not Annotated:
        return ""
    words = [meta.description for meta in get_args(kind)[1:] if isinstance(meta, Meta) and meta.description]
    text = " ".join(" ".join(word.split()) for word in words)
    return f"{text}." if text and text[-1] not in ".!?)" else text


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "must be given"
    value = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    if value is None:
        return "automatic"
    return f"`{msgspec.json.encode(value, enc_hook=str).decode()}`"


if __name__ == "__main__":
    print(reference(), end="")
