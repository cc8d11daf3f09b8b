"""``symgrad build``: document modules to files, each written aside and moved in whole."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import symgrad.render.register  # noqa: F401 (lets values show themselves in errors)
from symgrad import __version__
from symgrad.cli.loading import load_module
from symgrad.cli.progress import Progress
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
    modules = _modules(Path(options.source), options.names)
    out = Path(options.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot write to {out}: {error.strerror}; name another folder with --out"
        ) from error
    progress = Progress()
    failures = 0
    for path in modules:
        try:
            made = _document(path, progress)
            files = _printed(made, formats, progress)
            _move_in(out, files)
            progress.say(f"symgrad: built {made.name} ({', '.join(sorted(files))})")
        except SymgradError as error:
            failures += 1
            _remove(out, path.stem)
            progress.say(f"symgrad: error: {error}")
    progress.clear()
    if "html" in formats:
        _index(out, _modules(Path(options.source), []))
    if "pdf" not in formats and options.format is None:
        progress.say("symgrad: no TeX found (pdflatex), so no PDF was made")
    print(f"{len(modules) - failures} of {len(modules)} documents in {out}")
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


def _document(path: Path, progress: Progress) -> Document:
    module = load_module(path)
    write = Writer(path.stem, *_texts(module, path), progress)
    derive: Callable[[Writer], None] | None = getattr(module, "derive", None)
    if derive is None:
        raise UsageError(f"{path} has no function derive(write)")
    try:
        derive(write)
    except FailedCheck:
        raise
    except SymgradError as error:
        place = f"document {path.stem!r}, after equation ({write.count})"
        raise type(error)(f"{place}: {error}") from error
    except Exception as error:
        raise FailedCheck(f"document {path.stem!r}: {type(error).__name__}: {error}") from error
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


def _index(out: Path, modules: list[Path]) -> None:
    """The index page: every document of the folder that has been built, now or earlier."""
    entries: list[tuple[int, IndexEntry]] = []
    for path in modules:
        try:
            module = load_module(path)
            title, summary = _texts(module, path)
        except SymgradError:
            continue
        links = tuple(
            (label, f"{path.stem}.{form}")
            for form, label in _LABELS.items()
            if (out / f"{path.stem}.{form}").is_file()
        )
        if links:
            place = getattr(module, "ORDER", len(modules))
            entries.append((place, IndexEntry(path.stem, title, summary, links)))
    listed = [entry for _, entry in sorted(entries, key=lambda pair: (pair[0], pair[1].name))]
    _move_in(out, {"index.html": html_index(listed, version=__version__).encode()})
