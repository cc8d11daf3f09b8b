"""``symgrad build``: document modules to files, each written aside and moved in whole."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import symgrad.render.register  # noqa: F401 (lets values show themselves in errors)
from symgrad import __version__
from symgrad.cell import Cell
from symgrad.cli.loading import load_cell, load_module
from symgrad.cli.progress import Progress
from symgrad.derivation.standard import standard_document, summary_of
from symgrad.derivation.writer import Writer
from symgrad.errors import FailedCheck, SymgradError, UsageError
from symgrad.render.blocks import Document
from symgrad.render.derivation_document import document
from symgrad.render.html import IndexEntry, html_index, html_page
from symgrad.render.latex_document import latex_document
from symgrad.render.markdown import markdown_document, markdown_figures
from symgrad.render.pdf import PdfError, compile_pdf, pdf_available

FORMATS = ("html", "tex", "md", "pdf")
_LABELS = {"html": "HTML", "pdf": "PDF", "tex": "LaTeX", "md": "Markdown"}


def build_command(options: argparse.Namespace) -> int:
    """Build the documents; 0 if all were built, 1 if one was not."""
    formats = _formats(options.format)
    sources = _sources(Path(options.source), options.names)
    out = Path(options.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot write to {out}: {error.strerror}; name another folder with --out"
        ) from error
    progress = Progress()
    failures = 0
    for source in sources:
        try:
            made = _document(source, progress)
            files = _printed(made, formats, progress)
            _move_in(out, files)
            progress.say(f"symgrad: built {made.name} ({', '.join(sorted(files))})")
        except SymgradError as error:
            failures += 1
            _remove(out, source.name)
            progress.say(f"symgrad: error: {error}")
    progress.clear()
    if "html" in formats:
        _index(out, [*_listed(Path(options.source)), *(s for s in sources if s.cell is not None)])
    if "pdf" not in formats and options.format is None:
        progress.say("symgrad: no TeX found (pdflatex), so no PDF was made")
    print(f"{len(sources) - failures} of {len(sources)} documents in {out}")
    return 1 if failures else 0


def _formats(text: str | None) -> tuple[str, ...]:
    if text is None:
        return FORMATS if pdf_available() else FORMATS[:3]
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for entry in chosen:
        if entry not in FORMATS:
            raise UsageError(f"--format has {entry!r}; it may be some of {','.join(FORMATS)}")
    if not chosen:
        raise UsageError(f"--format is empty; it may be some of {','.join(FORMATS)}")
    if "pdf" in chosen and not pdf_available():
        raise UsageError("--format pdf needs pdflatex, which was not found; install TeX")
    return chosen


@dataclass(frozen=True)
class Source:
    """Where a document comes from: a module of a folder, or a cell."""

    name: str
    path: Path
    cell: Cell | None = None


def _sources(folder: Path, names: list[str]) -> list[Source]:
    """The documents that are asked for: modules by name, cells by file."""
    wanted = list(dict.fromkeys(names))
    cells = [name for name in wanted if name.endswith((".cell", ".tex")) or ".py:" in name]
    modules = [name for name in wanted if name not in cells]
    found = _modules(folder, modules) if modules or not cells else []
    taken = {path.stem for path in folder.glob("*.py")}
    made = [Source(path.stem, path) for path in found]
    for name in cells:
        cell = load_cell(name)
        if cell.name in taken:
            raise UsageError(
                f"{name}: there is a document {cell.name!r} already; give the cell another name"
            )
        taken.add(cell.name)
        made.append(Source(cell.name, Path(name), cell))
    return made


def _modules(source: Path, names: list[str]) -> list[Path]:
    if not source.is_dir():
        raise UsageError(f"no folder {source}; name the folder of document modules with --from")
    found = {path.stem: path for path in sorted(source.glob("*.py")) if path.stem != "__init__"}
    if not found:
        raise UsageError(f"no document modules (*.py) in {source}")
    for name in names:
        if name not in found:
            raise UsageError(f"no document {name!r} in {source}; it has {', '.join(found)}")
    return [found[name] for name in dict.fromkeys(names)] if names else list(found.values())


def _listed(folder: Path) -> list[Source]:
    """The documents of a folder, for the index; none where there is no folder."""
    if not folder.is_dir():
        return []
    return [Source(path.stem, path) for path in _modules(folder, [])]


def _document(source: Source, progress: Progress) -> Document:
    if source.cell is not None:
        cell = source.cell
        write = Writer(source.name, cell.title, summary_of(cell), progress)
        derive: Callable[[Writer], None] | None = partial(standard_document, cell=cell)
    else:
        module = load_module(source.path)
        write = Writer(source.name, *_texts(module, source.path), progress)
        derive = getattr(module, "derive", None)
    if derive is None:
        raise UsageError(f"{source.path} has no function derive(write)")
    try:
        derive(write)
    except FailedCheck:
        raise
    except SymgradError as error:
        place = f"document {source.name!r}, after equation ({write.count})"
        raise type(error)(f"{place}: {error}") from error
    except Exception as error:
        raise FailedCheck(f"document {source.name!r}: {type(error).__name__}: {error}") from error
    return document(write.finish())


def _texts(module: ModuleType, path: Path) -> tuple[str, str]:
    title, summary = getattr(module, "TITLE", None), getattr(module, "SUMMARY", None)
    if not isinstance(title, str) or not isinstance(summary, str):
        raise UsageError(f"{path} needs the strings TITLE and SUMMARY")
    return title, summary


def _printed(made: Document, formats: tuple[str, ...], progress: Progress) -> dict[str, bytes]:
    """File names and their contents."""
    files: dict[str, bytes] = {}
    if "html" in formats:
        files[f"{made.name}.html"] = html_page(made, version=__version__).encode()
    if "md" in formats:
        files[f"{made.name}.md"] = markdown_document(made, version=__version__).encode()
        for name, svg in markdown_figures(made):
            files[name] = svg.encode()
    if "tex" in formats or "pdf" in formats:
        tex = latex_document(made, version=__version__)
        if "tex" in formats:
            files[f"{made.name}.tex"] = tex.encode()
        if "pdf" in formats:
            progress(f"{made.name}: PDF")
            try:
                files[f"{made.name}.pdf"] = compile_pdf(tex, name=made.name)
            except PdfError as error:
                raise FailedCheck(f"document {made.name!r}: {error}") from error
    return files


def _move_in(out: Path, files: dict[str, bytes]) -> None:
    """Write aside, then move: nobody sees half a document."""
    aside = Path(tempfile.mkdtemp(prefix=".symgrad-", dir=out))
    try:
        for name, content in files.items():
            (aside / name).write_bytes(content)
        for name in files:
            (aside / name).replace(out / name)
    except OSError as error:
        raise FailedCheck(f"cannot write to {out}: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _remove(out: Path, name: str) -> None:
    """Take away what an earlier build left of a document that no longer builds."""
    for path in (*(out / f"{name}.{form}" for form in FORMATS), *out.glob(f"{name}-[0-9]*.svg")):
        path.unlink(missing_ok=True)


def _index(out: Path, sources: list[Source]) -> None:
    """The index page: every document of the folder that has been built, now or earlier."""
    entries: list[tuple[int, IndexEntry]] = []
    for source in sources:
        try:
            place, title, summary = _entry(source, len(sources))
        except SymgradError:
            continue
        links = tuple(
            (label, f"{source.name}.{form}")
            for form, label in _LABELS.items()
            if (out / f"{source.name}.{form}").is_file()
        )
        if links:
            entries.append((place, IndexEntry(source.name, title, summary, links)))
    listed = [entry for _, entry in sorted(entries, key=lambda pair: (pair[0], pair[1].name))]
    _move_in(out, {"index.html": html_index(listed, version=__version__).encode()})


def _entry(source: Source, last: int) -> tuple[int, str, str]:
    if source.cell is not None:
        return last, source.cell.title, summary_of(source.cell)
    module = load_module(source.path)
    return getattr(module, "ORDER", last), *_texts(module, source.path)
