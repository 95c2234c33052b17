"""Code that changes readings must raise a revision: the check, and the record that it is held against.

    python -m recipes.revisions                        record raised revisions; say what else changed
    python -m recipes.revisions rules --unchanged      record a change after which rules reads the same

What is stored is reused as long as a fingerprint stays what it was, and a fingerprint knows of the
code only its hand-counted REVISION.  So tests/revisions.yaml keeps, for every component that has one,
a digest of each module that can influence it: the closure of its imports within the package.  Comments,
docstrings and formatting do not count.  Nor do imports for type checkers, the REVISIONs themselves,
and the package's own `__init__`, which loads the API on demand.  Of the modules that only declare what
flows between rooms (types, protocols, errors) nothing but code counts: a key more in an answer changes
no reading.  Schemas count whole, for their grammars and kinds do work of their own, but not the reader
of their files: what it gives is part of every question.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from ocr_moe.errors import ConfigError
from ocr_moe.formats.yamlfile import read_yaml, write_yaml

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ocr_moe"
RECORD = ROOT / "tests" / "revisions.yaml"
_DECLARATIONS = ("types", "protocols", "errors")
_IN_QUESTIONS = ("formats.yamlfile", "formats.yamltraps")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Component:
    """What has a fingerprint and a revision of its own."""

    name: str
    roots: tuple[str, ...]
    """Modules below the package; the first holds REVISION."""
    without: tuple[str, ...] = ()
    """Modules that are covered by another component's revision."""


_REPLIES = "experts.llm.replies"
COMPONENTS = (
    Component("rules", ("experts.rules.expert",)),
    Component("typed", ("experts.typed.expert",)),
    Component("marks", ("experts.marks.expert",)),
    Component("codes", ("experts.codes.expert",)),
    Component("ocr_text", ("experts.llm.ocr_text",), without=(_REPLIES,)),
    Component("vision", ("experts.llm.vision",), without=(_REPLIES,)),
    Component("writer", ("experts.llm.writing",), without=(_REPLIES,)),
    Component("replies", (_REPLIES,)),
    Component("keys", ("experts.texts.keys",)),
    Component("extracts", ("experts.texts.extracts",)),
    Component("terms", ("experts.texts.topics",)),
    Component("transformers", ("experts.texts.transformer",)),
    Component("lexicon", ("experts.texts.sentiment",)),
    Component("chat", ("engines.chat.endpoint",)),
    Component("ppocr", ("engines.ppocr",)),
    Component("paddle", ("engines.paddle",)),
    Component("rapid", ("engines.rapid",)),
    Component("vlm", ("engines.vlm.engine",)),
    Component("lines", ("engines.lines",)),
    Component("symbols", ("engines.symbols",)),
    Component("seals", ("intake.seals",)),
    Component("watermarks", ("intake.watermarks",)),
    Component(
        "text_layer",
        ("intake.textlayer", "intake.pdftext", "intake.leftovers"),
        without=("intake.seals",),
    ),
    Component(
        "given_text",
        ("intake.texts.setting", "intake.texts.items"),
    ),
    Component(
        "righting",
        ("intake.righting", "intake.images", "intake.pdf", "intake.strips"),
        without=("intake.textlayer", "intake.pdftext", "intake.leftovers"),
    ),
)


@dataclass(frozen=True)
class State:
    """A component as its sources have it now, or as it was recorded."""

    revision: str
    modules: Mapping[str, str]
    """Module, below the package → digest of its code."""


@dataclass(frozen=True)
class Change:
    """How a component differs from its record."""

    component: Component
    file: Path
    """Where REVISION stands."""
    before: State | None
    now: State

    @property
    def raised(self) -> bool:
        """Whether it has a revision that is not recorded."""
        return self.before is None or self.before.revision != self.now.revision

    @property
    def modules(self) -> list[str]:
        """What changed, in words."""
        old = self.before.modules if self.before is not None else {}
        new = self.now.modules
        return [
            f"{name} (new)" if name not in old else f"{name} (gone)" if name not in new else name
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]

    def __str__(self) -> str:
        name, revision = self.component.name, self.now.revision
        if self.raised:
            before = self.before.revision if self.before is not None else "nothing"
            return (
                f"{name}: revision {revision} is not on record ({before} is); run `make revisions`"
            )
        return (
            f"{name}: the code behind revision {revision} has changed in {', '.join(self.modules)}. "
            f"If readings may differ, raise REVISION in {self.file} and run `make revisions`. If you "
            "have verified that they are the same, run "
            f"`python -m recipes.revisions {name} --unchanged`."
        )


class Sources:
    """The modules of a package, by their names below it ("" is the package itself)."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self._trees: dict[str, ast.Module] = {}

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Module → file."""
        found = {}
        for path in sorted(self.package.rglob("*.py")):
            parts = path.relative_to(self.package).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    def tree(self, module: str) -> ast.Module:
        """The module's code, without what is there for type checkers only."""
        if module not in self._trees:
            path = self.modules[module]
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
            self._trees[module] = _AtRunTime().visit(tree)
        return self._trees[module]

    def revision(self, module: str) -> str:
        """Raises ValueError where the module has no REVISION."""
        for statement in self.tree(module).body:
            if _sets_revision(statement):
                return str(ast.literal_eval(statement.value))  # type: ignore[attr-defined]
        raise ValueError(f"{self.modules[module]} has no REVISION")

    def imports(self, module: str) -> Iterator[str]:
        """The package's modules that a module imports anywhere, lazily or not.

        Raises ValueError for one that is not there.
        """
        for node in ast.walk(self.tree(module)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._resolved(alias.name)
            elif isinstance(node, ast.ImportFrom):
                source = self._source(module, node)
                yield from self._resolved(source)
                for alias in node.names:
                    if self._below(f"{source}.{alias.name}") in self.modules:
                        yield from self._resolved(f"{source}.{alias.name}")

    def closure(self, component: Component) -> set[str]:
        """All modules that can influence a component."""
        found: set[str] = set()
        outside = {"", *component.without, *_IN_QUESTIONS}
        waiting = list(component.roots)
        while waiting:
            module = waiting.pop()
            if module in found or module in outside:
                continue
            found.add(module)
            waiting += [module.rpartition(".")[0], *self.imports(module)]
        return found

    def state(self, component: Component) -> State:
        digests = {name: self._digest(name) for name in sorted(self.closure(component))}
        return State(self.revision(component.roots[0]), digests)

    def _digest(self, module: str) -> str:
        tree: Any = self.tree(module)
        code: Sequence[ast.AST] = [each for each in tree.body if not _sets_revision(each)]
        if module in _DECLARATIONS:
            code = [each for each in ast.walk(tree) if isinstance(each, _FUNCTIONS) and _acts(each)]
        return hashlib.sha256(_written(list(code)).encode()).hexdigest()[:12]

    def _source(self, module: str, node: ast.ImportFrom) -> str:
        """The full name of the module that `from … import` names."""
        if not node.level:
            return node.module or ""
        parts = [self.package.name, *filter(None, module.split("."))]
        is_package = self.modules[module].name == "__init__.py"
        parts = parts[: len(parts) - node.level + is_package]
        return ".".join([*parts, *filter(None, [node.module])])

    def _below(self, full: str) -> str | None:
        """The name below the package; None for what is not of it."""
        package, _, module = full.partition(".")
        return module if package == self.package.name else None

    def _resolved(self, full: str) -> Iterator[str]:
        module = self._below(full)
        if module is None:
            return
        if module not in self.modules:
            raise ValueError(f"{full} is imported, and there is no such module")
        yield module


def examine(
    package: Path, components: Sequence[Component], recorded: Mapping[str, State]
) -> list[Change]:
    """The components that are not as recorded."""
    sources = Sources(package)
    found = []
    for component in components:
        before, now = recorded.get(component.name), sources.state(component)
        if before != now:
            file = sources.modules[component.roots[0]].relative_to(package.parent)
            found.append(Change(component, file, before, now))
    return found


def read_record(file: Path) -> dict[str, State]:
    """Component → what was recorded; nothing where there is no file. Raises ConfigError."""
    if not file.exists():
        return {}
    return {
        name: State(entry["revision"], entry["modules"])
        for name, entry in read_yaml(file, ConfigError).items()
    }


def settle(
    package: Path,
    components: Sequence[Component],
    file: Path,
    unchanged: Sequence[str] = (),
) -> list[Change]:
    """Record raised revisions, and changes of the components of which `unchanged` says that they read
    the same; what is left to be decided."""
    recorded = read_record(file)
    names = [component.name for component in components]
    kept = {name: recorded[name] for name in names if name in recorded}
    open_changes = []
    for change in examine(package, components, recorded):
        name = change.component.name
        if change.raised or name in unchanged:
            kept[name] = change.now
        else:
            open_changes.append(change)
    data = {
        name: {"revision": kept[name].revision, "modules": dict(kept[name].modules)}
        for name in names
        if name in kept
    }
    text = "# What was written by `make revisions`; see recipes/revisions.py.\n" + write_yaml(data)
    file.write_text(text, encoding="utf-8")
    return open_changes


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="COMPONENT", help="all, unless named")
    ] = None,
    unchanged: Annotated[
        bool, typer.Option("--unchanged", help="readings are the same; I have verified it")
    ] = False,
) -> None:
    """Hold revisions against the code behind them."""
    known = [component.name for component in COMPONENTS]
    if wrong := sorted(set(names or ()) - set(known)):
        raise typer.BadParameter(f"{', '.join(wrong)}: there are {', '.join(known)}")
    left = settle(PACKAGE, COMPONENTS, RECORD, (names or known) if unchanged else ())
    for change in left:
        typer.echo(str(change), err=True)
    if left:
        raise typer.Exit(1)


class _AtRunTime(ast.NodeTransformer):
    """Drops docstrings and blocks under `if TYPE_CHECKING`."""

    def visit_If(self, node: ast.If) -> Any:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(each) for each in node.orelse] or None
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return None
        return self.generic_visit(node)


def _sets_revision(statement: ast.stmt) -> bool:
    match statement:
        case (
            ast.Assign(targets=[ast.Name(id="REVISION")])
            | ast.AnnAssign(target=ast.Name(id="REVISION"))
        ):
            return True
    return False


def _acts(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function does anything; a protocol's only say what there is."""
    return any(
        not isinstance(each, ast.Pass)
        and not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in function.body
    )


def _written(node: Any) -> str:
    """A syntax tree as text, without positions and alike under all versions of Python.

    `ast.dump` is not: later versions have further fields, which are empty for the code of earlier
    ones.
    """
    if isinstance(node, list):
        return "[" + ",".join(map(_written, node)) + "]"
    if isinstance(node, ast.Constant):
        return repr(node.value)
    if isinstance(node, ast.AST):
        fields = [
            f"{name}={_written(value)}"
            for name, value in ast.iter_fields(node)
            if name not in ("ctx", "type_comment") and value is not None and value != []
        ]
        return f"{type(node).__name__}({','.join(fields)})"
    return repr(node)


if __name__ == "__main__":
    typer.run(main)
