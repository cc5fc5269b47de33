"""What is written: nothing is lost, nothing is half done, and one line says what went wrong."""

from __future__ import annotations

import ast
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import schemask._files
from schemask._files import Journal, replacing
from schemask.cli import main
from schemask.errors import DataError, ModelError, ToolError
from schemask.synth import Kind, TeacherRequest, check, generate
from schemask.synth.ledger import ledger_path
from schemask.tools import tool

SHARES: dict[Kind, float] = {"call": 0.8, "parallel": 0.1, "words": 0.1}
LINE = json.dumps({"messages": [{"role": "user", "content": "Hi."}]}) + "\n"


@tool
def get_stock_price(symbol: str) -> float:
    """Get the current price of a stock."""
    raise AssertionError("no tool is run to make data")


def teacher(request: TeacherRequest) -> dict[str, Any]:
    if request.kind == "words":
        return {"user": f"Words {request.seed}", "answer": "No."}
    symbols = zip(request.targets, "AB", strict=False)
    calls = [{"name": name, "arguments": {"symbol": symbol}} for name, symbol in symbols]
    results = ["1" for _ in calls]
    return {"user": f"Ask {request.seed}", "tool_calls": calls, "results": results, "answer": "1."}


def write_lines(path: Path, count: int) -> None:
    generate(teacher, [get_stock_price], count, path, shares=SHARES, progress=False)


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Limits the size of files, as a disk does that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


# format --out


def failing(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that the command leaves on standard error."""
    assert main(list(map(str, arguments))) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("schemask: ")
    return captured.err


def test_a_file_that_exists_is_overwritten_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    data.write_text(LINE)
    assert "--force" in failing(capsys, "format", data, "--out", data)
    assert data.read_text() == LINE
    assert main(["format", str(data), "--out", str(out)]) == 0
    written = out.read_text()
    assert json.loads(written)["text"].startswith("<|im_start|>user\nHi.")
    assert "--force" in failing(capsys, "format", data, "--out", out)
    out.write_text("other")
    out.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(out)
    assert main(["format", str(data), "--out", str(link), "--force"]) == 0
    assert (out.read_text(), link.is_symlink()) == (written, True)
    assert out.stat().st_mode & 0o777 == 0o640
    # The input may be the output, then.
    assert main(["format", str(data), "--out", str(data), "--force"]) == 0
    assert data.read_text() == written
    assert sorted(os.listdir(tmp_path)) == ["data.jsonl", "link", "out"]


def test_a_run_that_fails_leaves_what_was_there(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    small_files: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    data.write_text(LINE * 100 + "{\n")
    assert "line 101" in failing(capsys, "format", data, "--out", out)
    assert not out.exists()
    out.write_text("kept")
    assert "line 101" in failing(capsys, "format", data, "--out", out, "--force")
    data.write_text(LINE * 1000)
    small_files(3000)
    assert "too large" in failing(capsys, "format", data, "--out", out, "--force")
    assert "/dev/full: No space left" in failing(capsys, "format", data, "--out", "/dev/full")
    small_files(10**9)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "fsync", refuse)
    assert f"{out}: Permission denied" in failing(capsys, "format", data, "--out", out, "--force")
    assert out.read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["data.jsonl", "out"]


def test_standard_output_that_is_full(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(LINE)
    command = [sys.executable, "-m", "schemask", "format", str(data)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "schemask: standard output: No space left on device\n"


def test_pipes_are_written_as_they_are(tmp_path: Path) -> None:
    data, fifo, copy = tmp_path / "data.jsonl", tmp_path / "fifo", tmp_path / "copy"
    data.write_text(LINE * 2000)
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "schemask", "format", str(data), "--out"]
    for reader, status, lines in (("cat", 0, 2000), ("head -n 1", 1, 1)):
        with subprocess.Popen(f"{reader} {fifo} > {copy}", shell=True):
            done = subprocess.run([*command, str(fifo)], stderr=subprocess.PIPE, timeout=60)
        assert (done.returncode, copy.read_bytes().count(b"\n")) == (status, lines)
        assert done.stderr.decode() == (f"schemask: {fifo}: Broken pipe\n" if status else "")
    done = subprocess.run([*command, "/dev/stdout"], capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout.count(b"\n") == 2000


def test_places_where_nothing_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, tools = tmp_path / "data.jsonl", tmp_path / "tools.json"
    data.write_text(LINE)
    tools.write_text('[{"name": "f"}]')
    for place in (tmp_path, tmp_path / "nowhere" / "out", data / "out", Path("/proc/new")):
        assert str(place) in failing(capsys, "format", data, "--out", place)
        # Before any model is loaded.
        assert str(place) in failing(capsys, "synth", "write", tools, "--out", place)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not write")
def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out").write_text("kept")
    script = (
        "import os, sys, encodings.utf_8_sig, schemask.synth; from schemask.cli import main\n"
        "os.setgid(65534); os.setuid(65534); sys.exit(main(sys.argv[1:]))"
    )
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    (tmp_path / "tools.json").write_text('[{"name": "f"}]')
    for arguments in (
        ["format", "/dev/null", "--out", str(folder / "out"), "--force"],
        ["format", "/dev/null", "--out", str(folder / "new")],
        ["synth", "write", str(tmp_path / "tools.json"), "--out", str(folder / "new")],
    ):
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1 and "Permission denied" in done.stderr
    assert (folder / "out").read_text() == "kept" and len(os.listdir(folder)) == 1


def test_two_that_write_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match="come into being"), replacing(out, force=False) as file:
        file.write(b"mine")
        out.write_text("another's")
    assert out.read_text() == "another's"
    with replacing(out, force=True) as file:
        file.write(b"first")
        with pytest.raises(DataError, match="somebody else"), replacing(out, force=True):
            pass
    assert out.read_text() == "first"

    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with replacing(tmp_path / "new", force=False) as file:
        file.write(b"1")
    assert (tmp_path / "new").read_text() == "1"
    assert sorted(os.listdir(tmp_path)) == ["new", "out"]


# synth --out


@pytest.mark.parametrize(
    "content",
    [
        "my only copy of the notes",
        "my only copy of the notes\n",
        '{"a": 1}',
        '{"messages": [], "more": ',
        '{"messages": [{"role": "user", "content": 5}], "tools": []}\n',
        '{"messages": [{"role": "user", "content": "a"}], "tools": null}\n',
        '{"messages": [{"role": "user", "content": "a"}], "tools": [], "id": 1}\n',
        '{"messages": [{"role": "user", "content": "a"}], "tools": [{"name": "other',
        '{"messages": [{"role": "system", "content": "a"}',
        '{"messages": "a", "tools": []}\n',
        "[" * 100_000 + "\n",
        "[" * 100_000,
        "\0\0\0",
        "\n",
    ],
)
def test_a_foreign_file_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    for count in (0, 2):
        with pytest.raises(DataError, match="is left as it is"):
            write_lines(path, count)
    assert path.read_text() == content


def test_only_the_torn_end_of_an_own_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "data"
    write_lines(path, 3)
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in [*range(last, len(whole), 5), len(whole) - 1]:
        path.write_bytes(whole[:end])
        check([get_stock_price], 3, path, shares=SHARES)
        assert path.read_bytes() == whole[:end]
        write_lines(path, 3)
        assert path.read_bytes() == whole
    for more in (b"my notes", b"my notes\n", whole[:last]):
        path.write_bytes(whole + more)
        with pytest.raises(DataError, match="left as it is"):
            write_lines(path, 4)
        assert path.read_bytes() == whole + more


def test_a_disk_that_fills_up(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    path = tmp_path / "data"
    write_lines(tmp_path / "whole", 100)
    small_files(3000)
    with pytest.raises(DataError, match="File too large"):
        write_lines(path, 100)
    small_files(10**9)
    assert path.stat().st_size <= 3000 and ledger_path(path).stat().st_size <= 3000
    write_lines(path, 100)
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()
    assert ledger_path(path).read_bytes() == ledger_path(tmp_path / "whole").read_bytes()


def test_one_run_writes_a_file_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "data"
    entered, go_on = threading.Event(), threading.Event()

    def slow(request: TeacherRequest) -> dict[str, Any]:
        entered.set()
        go_on.wait()
        return teacher(request)

    def first() -> None:
        generate(slow, [get_stock_price], 5, path, shares=SHARES, progress=False)

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()
    for write in (
        lambda: write_lines(path, 5),
        lambda: check([get_stock_price], 5, path, shares=SHARES),
    ):
        with pytest.raises(DataError, match="being written by somebody else"):
            write()
    with pytest.raises(DataError, match="somebody else"), replacing(path, force=True):
        pass
    go_on.set()
    thread.join()
    assert len(path.read_text().splitlines()) == 5
    write_lines(path, 6)


def test_a_file_that_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "data"

    def thief(request: TeacherRequest) -> dict[str, Any]:
        if request.index == 1:
            path.rename(tmp_path / "elsewhere")
        return teacher(request)

    with pytest.raises(DataError, match="moved or replaced"):
        generate(thief, [get_stock_price], 3, path, shares=SHARES, progress=False)
    assert len((tmp_path / "elsewhere").read_text().splitlines()) == 3


def test_a_run_that_writes_nothing_leaves_nothing(tmp_path: Path) -> None:
    def silent(request: TeacherRequest) -> dict[str, Any]:
        raise ModelError("no answer")

    path = tmp_path / "data"
    with pytest.raises(ModelError):
        generate(silent, [get_stock_price], 3, path, progress=False)
    check([get_stock_price], 3, path)
    with pytest.raises(ToolError):
        check([5], 3, path)  # type: ignore[list-item]
    assert not path.exists()
    path.touch()
    with pytest.raises(ModelError):
        generate(silent, [get_stock_price], 3, path, progress=False)
    assert path.exists()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for special in (fifo, Path("/dev/full"), Path("/dev/null"), tmp_path):
        with pytest.raises(DataError, match="regular file"), Journal(special):
            pass


def test_kills_while_a_file_is_replaced(tmp_path: Path) -> None:
    """There is the old file or the new one, never a part."""
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    data.write_text(LINE * 3000)
    main(["format", str(data), "--out", str(out)])
    new = out.read_bytes()
    arguments = ["format", str(data), "--out", str(out), "--force"]
    # Each moment of the writing is long enough to be met.
    script = (
        "import os, sys, time\n"
        "import schemask._files as files\n"
        "from schemask.cli import main\n"
        "fsync, put = os.fsync, files._put\n"
        "os.fsync = lambda number: (print('.', flush=True), time.sleep(0.05), fsync(number))\n"
        f"sys.exit(main({arguments!r}))\n"
    )
    for delay in (0.0, 0.03, 0.07):
        out.write_text("old")
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.kill()
        process.wait()
        process.stdout.close()
        assert out.read_bytes() in (b"old", new)


def test_the_package_has_no_other_way_to_write() -> None:
    """Every file that it writes goes through `_files`."""
    for path in Path(schemask.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or path.name == "_files.py":
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            assert name not in ("write_text", "write_bytes", "mkstemp", "NamedTemporaryFile")
            modes = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
            if name in ("open", "fdopen"):
                assert not any(
                    set(str(mode)) & set("wax+") and set(str(mode)) <= set("rwaxbt+")
                    for mode in modes
                )
