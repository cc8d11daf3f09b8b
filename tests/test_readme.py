"""Every example in README is run, and prints what README says."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from symgrad.cli import main

README = Path(__file__).parent.parent / "README.md"
_TEXT = README.read_text(encoding="utf-8")
_CONSOLE = re.findall(r"```console\n(.*?)```", _TEXT, re.DOTALL)
_COMMANDS = [
    (command.strip(), output)
    for block in _CONSOLE
    for command, output in re.findall(r"\$ (symgrad [^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", block)
]


def test_python_examples_print_what_they_say() -> None:
    parser = doctest.DocTestParser()
    source = "\n".join(re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL))
    test = parser.get_doctest(source, {}, "README", str(README), 0)
    assert len(test.examples) > 10
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    assert runner.run(test).failed == 0


def test_every_command_example_is_found() -> None:
    assert len(_COMMANDS) >= 6


@pytest.mark.parametrize(("command", "output"), _COMMANDS, ids=[c for c, _ in _COMMANDS])
def test_commands_print_what_they_say(
    command: str,
    output: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(README.parent)

    assert main(shlex.split(command)[1:]) == 0

    assert capsys.readouterr().out == output


def test_the_two_commands_are_single_lines() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", _TEXT, re.DOTALL)

    assert len(blocks) == 2
    assert all(block.count("\n") == 1 and "venv" in block for block in blocks)
