"""What mkdocs calls while it builds the site: puts in what is derived from the code.

A page holds a line `<!-- emu: NAME ARGUMENT… -->`; it is replaced by what the function of that name
in `_PARTS` returns. So nothing that the code says already is written a second time. The lines right
below it are for who reads the file itself, and are replaced too.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parent.parent
_MARK = re.compile(r"^<!-- emu: (?P<words>[^>]+?) -->$(?:\n.+)*", re.MULTILINE)
#: What an attribute of a graph is for. One that is missing here stops the build.
_MEANINGS = {
    ("graph", "families"): "Which of IPv4 and IPv6 to use; both where it is not given.",
    (
        "graph",
        "optional_shaping",
    ): "What links do that is left out, with a warning, where the kernel cannot do "
    "it; without it such a network is refused.",
    ("graph", "name"): "What the network is called where `--name` says nothing.",
    (
        "graph",
        "loopbacks",
    ): "Whether every router has an address of its own on `lo`, besides those of its links.",
    (
        "graph",
        "packed",
    ): "Whether prefixes are as narrow as the segments allow; only in large networks by default.",
    ("graph", "pools"): "Where automatic prefixes come from, instead of 10.0.0.0/8 and fd00::/16.",
    ("graph", "routes"): "Which routes are computed; `compressed` where it is not given.",
    ("graph", "schedule"): "What happens to links and nodes while the network runs, and when.",
    ("link", "trace"): "What a real network did over time, to be replayed.",
    ("node", "kind"): "What the node does: `host`, `router` or `switch`.",
    ("node", "label"): "What pictures and tables call the node, instead of the graph's own name for it.",
    (
        "node",
        "loopback",
    ): "On a router: its addresses on `lo`. A family that is left out gets one from the pool.",
    ("node", "routes"): "Routes of your own; one wins over a computed route to the same destination.",
    ("node", "run"): "Daemons that run from the beginning to the end of the network; see "
    "[Run servers in nodes](../how-to/servers.md).",
    ("node", "private"): "Folders that the node has of its own, empty at first; they need not exist outside.",
    ("node", "env"): "Environment variables of its programs, besides those of whoever starts them.",
    ("node", "cwd"): "The folder in which its programs begin, instead of that of whoever starts them.",
    ("node", "user"): "Who runs its programs, instead of root: a name or number of the machine's users.",
    ("node", "cpu"): "How much of the processors its programs have together; see "
    "[Limit CPU and memory](../how-to/limits.md).",
    ("node", "memory"): "How much memory its programs may have together; beyond that the kernel ends one.",
    ("node", "processes"): "How many processes and threads its programs may be.",
    ("node", "prefix"): "On a switch: the prefix of the segment that it joins.",
    (
        "link",
        "weight",
    ): "What crossing the link costs; routes take the cheapest way. 1 where it is not given.",
    ("link", "prefix"): "The prefix of the link's segment.",
    ("graph", "profiles"): "Kinds of links of one's own, for the links' attribute `profile`.",
    ("link", "corrupt"): "Packets that arrive with a bit changed.",
    ("link", "delay"): "How long a packet is on its way.",
    ("link", "delay_correlation"): "How much a packet's delay is like that of the one before.",
    ("link", "distribution"): "How jitter is distributed; uniform where it is not given.",
    ("link", "duplicate"): "Packets that arrive twice.",
    ("link", "jitter"): "How much the delay varies.",
    ("link", "limit"): "How much the queue in front of the rate holds; by default what the rate carries in "
    "twice the delay and 20 ms more, and 20 full frames at least.",
    ("link", "loss"): "Packets that are lost.",
    ("link", "mtu"): "The largest packet, at both ends; 1500 where it is not given.",
    (
        "link",
        "profile",
    ): "A kind of link with a name; its attributes hold where the link has none of its own.",
    ("link", "queue"): "The queue discipline in front of the rate; a plain FIFO where it is not given.",
    ("link", "rate"): "How much the link carries, in bits of whole Ethernet frames.",
    ("link", "reorder"): "Packets that overtake those that are delayed.",
    ("link", "seed"): "What chances begin with, so that the same packets are lost each time.",
    ("link", "slot"): "Packets that arrive in bursts.",
    ("link", "addresses"): "Addresses of the link's ends, out of a pinned prefix.",
    ("link", "interfaces"): "The numbers of the link's interfaces, as in HOST1-veth0.",
    ("link", "macs"): "MAC addresses of the link's ends.",
}
#: The sections of a docstring whose entries are `name: text`.
_SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace every mark of a page."""

    def derived(match: re.Match[str]) -> str:
        name, *arguments = match["words"].split()
        return _PARTS[name](*arguments)

    return _MARK.sub(derived, markdown)


# -- files of the project ---------------------------------------------------------------------------


def project_file(name: str) -> str:
    """Return a file from beside docs/, its links changed to those of the site."""
    text = (ROOT / name).read_text()
    return text.replace("](docs/", "](").replace("](CHANGELOG.md", "](changelog.md")


def layers() -> str:
    """Return a table of emu's modules and packages, layer by layer: each may import what stands below it."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    contract = next(one for one in tools["importlinter"]["contracts"] if one.get("containers") == ["emu"])
    names = [name for layer in contract["layers"] for name in layer.split(" | ")]
    rows = [(f"`emu.{name}`", _module_line(name)) for name in names]
    return _table(("Module", "What it is for"), rows)


def _module_line(name: str) -> str:
    """Return the first line of a module's docstring, without running it: one of them is a program."""
    folder = ROOT / "emu" / name
    source = (folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")).read_text()
    return _escaped((ast.get_docstring(ast.parse(source)) or "").partition("\n")[0])


# -- commands ---------------------------------------------------------------------------------------


def cli_commands() -> str:
    """Return a section for every command of the command line."""
    from emu.cli import cli
    from emu.hooks.plugin_manager import default_plugins

    group = default_plugins().cli_group(cli)
    parts = [
        _command(command, f"emu {name}") for name, command in group.commands.items() if not command.hidden
    ]
    return "\n\n".join(parts)


def prompt_commands() -> str:
    """Return a section for every command of the prompt."""
    from emu.hooks.plugin_manager import default_plugins

    known = default_plugins().commands
    return "\n\n".join(_command(known[name], name) for name in known if not known[name].hidden)


def node_programs() -> str:
    """Return a table of the programs that nodes find when the machine has none of that name."""
    from emu.hooks.plugin_manager import default_plugins

    known = default_plugins().programs
    rows = [(f"`{name}`", _first_line(importlib.import_module(known[name].module))) for name in known]
    return _table(("Program", "What it is"), rows)


def _command(command: click.Command, name: str) -> str:
    with click.Context(command, info_name=name) as context:
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        records = [record for one in command.get_params(context) if (record := one.get_help_record(context))]
    parts = [f"## `{name}`", f"```text\n{usage}\n```", _click_help(command.help or "")]
    rows = [(f"`{option}`", _escaped(text)) for option, text in records if text and option != "--help"]
    if rows:
        parts.append(_table(("Option", "Meaning"), rows))
    return "\n\n".join(parts)


def _click_help(text: str) -> str:
    """Return a command's help; a paragraph that click does not wrap is an example."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            parts.append(f"```text\n{paragraph.removeprefix(chr(8)).strip()}\n```")
        else:
            parts.append(_escaped(" ".join(paragraph.split())))
    return "\n\n".join(parts)


# -- hooks, graph, topologies, formats, errors -------------------------------------------------------


def hooks() -> str:
    """Return a section for every hook."""
    from emu.hooks import hookspecs

    parts = []
    for name, function in vars(hookspecs).items():
        options = getattr(function, "emu_spec", None)
        if options is None:
            continue
        note = (
            "\n\nThe first plugin that returns something other than `None` decides."
            if options["firstresult"]
            else ""
        )
        parts.append(f"## `{name}`\n\n{_signature(name, function)}\n\n{_docstring(function)}{note}")
    return "\n\n".join(parts)


def graph_attributes() -> str:
    """Return a section per element of a graph with the attributes that emu knows."""
    from emu.graph.attributes import KNOWN

    parts = []
    for element, known in KNOWN.items():
        parts.append(f"### Of a {element}" if element != "graph" else "### Of the graph")
        for name, parser in known.items():
            value = _docstring(parser).removeprefix("Return ") if parser.__doc__ else "any text."
            parts.append(f"#### `{name}`\n\n{_MEANINGS[element, name]}\n\nValue: {value}")
    return "\n\n".join(parts)


def profiles() -> str:
    """Return a table of the profiles of links."""
    from emu.shaping.profiles import PROFILES

    rows = [
        (f"`{name}`", one.up["rate"], one.down["rate"], one.up["delay"], one.source)
        for name, one in PROFILES.items()
    ]
    return _table(("Profile", "Rate up", "Rate down", "Delay", "Source"), rows)


def topologies() -> str:
    """Return a section for every topology that can be named."""
    from emu.hooks.plugin_manager import default_plugins

    known = default_plugins().topologies
    return "\n\n".join(
        f"## `{name}`\n\n{_signature(name, known[name])}\n\n{_docstring(known[name])}" for name in known
    )


def file_formats() -> str:
    """Return a table of the formats that `emu graph` writes."""
    from emu.hooks.plugin_manager import default_plugins

    known = default_plugins().exporters
    return _table(("Suffix", "What it is for"), [(f"`{suffix}`", known[suffix][1]) for suffix in known])


def exit_statuses() -> str:
    """Return a table of the exit statuses of expected failures."""
    rows: dict[int, list[str]] = {}
    for error in _errors():
        rows.setdefault(error.exit_status, []).append(f"`{error.__name__}`: {_first_line(error)}")
    return _table(("Status", "What went wrong"), [(str(n), "<br>".join(rows[n])) for n in sorted(rows)])


def _errors() -> Iterator[Any]:
    """Yield the classes of expected failures, the general one first."""
    from emu.errors import EmuError
    from emu.processes import process  # noqa: F401  # they define some
    from emu.running import network  # noqa: F401  # they define some

    queue = [EmuError]
    while queue:
        error = queue.pop(0)
        yield error
        queue += error.__subclasses__()


# -- Python -----------------------------------------------------------------------------------------


def public_names() -> str:
    """Return a section for everything that `import emu` offers, errors aside."""
    import emu

    found = [(name, getattr(emu, name)) for name in emu.__all__]
    wanted = [
        (name, item) for name, item in found
        if inspect.isfunction(item) or (inspect.isclass(item) and not issubclass(item, Exception))
    ]  # fmt: skip
    return "\n\n".join(_object(f"emu.{name}", item) for name, item in wanted)


def python_object(path: str) -> str:
    """Return a section for one class or function, named by its module and its own name."""
    module, _, name = path.rpartition(".")
    return _object(path, getattr(importlib.import_module(module), name))


def _object(path: str, item: Any) -> str:
    head = f"## `{path}`"
    if not inspect.isclass(item):
        return f"{head}\n\n{_signature(path, item)}\n\n{_docstring(item)}"
    parts = [head, _signature(path, item), _docstring(item)]
    if "__init__" in vars(item) and item.__init__.__doc__:
        parts.append(_docstring(item.__init__))
    if dataclasses.is_dataclass(item):
        rows = [(f"`{one.name}`", f"`{_plain(one.type)}`") for one in dataclasses.fields(item)]
        parts.append(_table(("Field", "Type"), rows))
    parts += [_member(name, member) for name, member in _members(item).items() if not name.startswith("_")]
    return "\n\n".join(part for part in parts if part)


def _members(item: Any) -> dict[str, Any]:
    """Return what a class has, also from other classes of emu; not what it has from the library."""
    classes = [one for one in item.__mro__ if one.__module__.partition(".")[0] == "emu"]
    return {name: member for one in classes[::-1] for name, member in vars(one).items()}


def _member(name: str, member: Any) -> str:
    getter = getattr(member, "fget", None) or (
        member.func if isinstance(member, functools.cached_property) else None
    )  # fmt: skip
    if getter is not None:
        kind = _plain(inspect.signature(getter).return_annotation)
        return f"### `{name}`\n\n```python\n{name}: {kind}\n```\n\n{_docstring(member)}"
    function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    if not inspect.isfunction(function):
        return ""
    return f"### `{name}()`\n\n{_signature(name, function)}\n\n{_docstring(function)}"


# -- text -------------------------------------------------------------------------------------------


def _signature(name: str, item: Any) -> str:
    """Return a code block with a callable's signature, one parameter a line where it is long."""
    signature = inspect.signature(item)
    parameters = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    returns = "" if signature.return_annotation in (signature.empty, None, "None") else (
        f" -> {_plain(signature.return_annotation)}"
    )  # fmt: skip
    words, starred = [], False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not starred:
            words.append("*")
        starred = starred or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        words.append(_plain(one))
    line = f"{name}({', '.join(words)}){returns}"
    if len(line) > 90:
        line = f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){returns}"
    return f"```python\n{line}\n```"


def _plain(annotation: Any) -> str:
    """Return an annotation, or a parameter with its own, as a person writes it."""
    if isinstance(annotation, inspect.Parameter) and isinstance(annotation.annotation, str):
        annotation = str(annotation).replace(repr(annotation.annotation), annotation.annotation)
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    text = re.sub(r"ForwardRef\('([^']*)'\)", r"\1", text)
    return re.sub(r"<\w+\.(\w+): \d+>", r"\1", text)  # a member of an enumeration


def _docstring(item: Any) -> str:
    """Return a docstring in Google's style as Markdown."""
    parts = []
    for paragraph in re.split(r"\n\n+", inspect.getdoc(item) or ""):
        title, _, rest = paragraph.partition(":\n")
        if title in _SECTIONS:
            parts.append(f"**{title}**\n\n{_entries(rest, title)}")
        elif paragraph.startswith((">>>", "    ")):
            language = "pycon" if paragraph.startswith(">>>") else "text"
            parts.append(f"```{language}\n{textwrap.dedent(paragraph)}\n```")
        else:
            parts.append(_escaped(paragraph))
    return "\n\n".join(parts)


def _entries(text: str, title: str) -> str:
    """Return a section's entries as a list; what is returned is a paragraph."""
    entries = re.split(r"\n(?=\S)", textwrap.dedent(text))
    lines = [" ".join(entry.split()) for entry in entries]
    if title in ("Returns", "Yields"):
        return _escaped(" ".join(lines))
    named = (line.partition(": ") for line in lines)
    return "\n".join(f"- `{name}`: {_escaped(rest)}" for name, _, rest in named)


def _first_line(item: Any) -> str:
    return (inspect.getdoc(item) or "").partition("\n")[0]


def _escaped(text: str) -> str:
    """Return text in which what looks like HTML, and is in no code, shows as it is."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else piece.replace("<", "&lt;") for piece in pieces)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


_PARTS: dict[str, Callable[..., str]] = {
    "cli-commands": cli_commands,
    "exit-statuses": exit_statuses,
    "file-formats": file_formats,
    "graph-attributes": graph_attributes,
    "hooks": hooks,
    "layers": layers,
    "node-programs": node_programs,
    "object": python_object,
    "project-file": project_file,
    "profiles": profiles,
    "prompt-commands": prompt_commands,
    "public-names": public_names,
    "topologies": topologies,
}
