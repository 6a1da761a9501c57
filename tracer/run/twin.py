"""The C twin of a scenario: found beside it in scenarios/c/, compiled on first use with the system's cc, and kept.

    python3 -m tracer.run.twin blocking      compiles it if that was not yet done, and says where it is

Some need a library, as the headers that they include tell (LIBRARIES), with what belongs to compiling against it.

It is kept in the cache of the user who runs it (XDG_CACHE_HOME or ~/.cache, as XDG's base directories have it), in a
directory named by a digest of the sources, the flags and the compiler. Nobody else may be able to write there, nor to
choose what cc reads: cc, as and ld look into their working directory and into many variables of the environment
(GCC's manual, "Environment Variables Affecting GCC"), so they get a directory and an environment of their own.
"""

import argparse
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scenarios
from tracer import places
from tracer.errors import CANNOT, IotraceError

SOURCES = Path(scenarios.__file__).parent / "c"
SHARED = ("workload.c", "transport.c", "notes.c")  # compiled into every twin
FLAGS = ("-O2", "-std=gnu11", "-Wall")
_INCLUDED = re.compile(r'^#include ["<]([^">]+)[">]', re.MULTILINE)


@dataclass(frozen=True)
class Library:
    """A library beside the C library: its header, the linker's flag, and the package of Debian and Ubuntu."""

    header: str
    flag: str
    package: str


LIBRARIES = (
    Library("liburing.h", "-luring", "liburing-dev"),
    Library("libaio.h", "-laio", "libaio-dev"),
)


class CannotBuild(IotraceError):
    """There is no compiler, it refuses, or there is no safe place for what it makes; the text is one line."""

    status = CANNOT


def compiler() -> str | None:
    """The path of the C compiler, None where there is none."""
    return shutil.which("cc", path=places.path())


def built(path: Path) -> Path:
    """The program of the twin at `path`, compiled unless it is in this user's cache already; raises CannotBuild."""
    cc = compiler()
    if cc is None:
        raise CannotBuild(
            "--lang c needs a C compiler, and there is no cc: apt-get install gcc libc6-dev"
        )
    place = _cache()
    kept = place / _digest(path, cc)
    if not (kept / path.stem).exists():
        try:
            _compile(path, cc, kept)
        except OSError as error:
            raise CannotBuild(f"cannot compile into {place}: {error.strerror}") from None
    return kept / path.stem


def built_as(path: Path, user: tuple[int, int] | None) -> Path:
    """built(), run as another user (uid, gid): with that user's rights, into that user's cache. None: as this user."""
    if user is None:
        return built(path)
    uid, gid = user
    try:
        account = pwd.getpwuid(uid)
        groups, home = os.getgrouplist(account.pw_name, gid), account.pw_dir
    except KeyError:
        groups, home = [], "/"
    done = subprocess.run(
        [sys.executable, "-m", "tracer.run.twin", _name(path)],
        user=uid,
        group=gid,
        extra_groups=groups,
        umask=0o077,
        env={
            **places.environment(),
            "HOME": home,
            "PYTHONPATH": str(SOURCES.parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd="/",
        capture_output=True,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("twin: ")
        raise CannotBuild(said or "compiling the C twin failed")
    return Path(os.fsdecode(done.stdout.removesuffix(b"\n")))


def libraries(path: Path) -> list[Library]:
    """The libraries that the twin at `path` links: those whose headers it or a header beside it includes."""
    included: set[str] = set()
    unread = [path]
    while unread:
        source = unread.pop()
        its = set(_INCLUDED.findall(source.read_text(encoding="utf-8"))) - included
        included |= its
        unread += [header for name in its if (header := source.parent / name).is_file()]
    return [library for library in LIBRARIES if library.header in included]


def _name(path: Path) -> str:
    """What main() calls the program at `path`: blocking, trials/barrier."""
    return (
        str(path.relative_to(SOURCES).with_suffix(""))
        if path.is_relative_to(SOURCES)
        else path.stem
    )


def _digest(path: Path, compiler: str) -> str:
    """A digest of all that the program depends on: the sources, the flags, the compiler, and its path to as and ld."""
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, check=False, **_apart("/")
    ).stdout
    ingredients = [
        os.fsencode(os.path.realpath(compiler)),
        version,
        " ".join(FLAGS).encode(),
        os.fsencode(places.path()),
    ]
    ingredients += [
        source.read_bytes()
        for source in (path, *sorted(SOURCES.glob("*.h")), *(SOURCES / name for name in SHARED))
    ]
    return hashlib.sha256(
        b"".join(hashlib.sha256(ingredient).digest() for ingredient in ingredients)
    ).hexdigest()[:16]


def _compile(path: Path, compiler: str, kept: Path) -> None:
    """Compiles in a directory of its own, which then gets its name, so that no program is ever half there."""
    needed = libraries(path)
    directory = tempfile.mkdtemp(prefix=".building-", dir=kept.parent)
    try:
        command = [
            compiler,
            *FLAGS,
            "-o",
            str(Path(directory, path.stem)),
            str(path),
            *(str(SOURCES / name) for name in SHARED),
            *(library.flag for library in needed),
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            **_apart(directory),
        )
        if done.returncode:
            raise CannotBuild(_refusal(compiler, path, done.stderr, needed))
        os.chmod(Path(directory, path.stem), 0o700)
        try:
            os.rename(directory, kept)
        except OSError:
            if not kept.exists():  # else another run was quicker
                raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _refusal(compiler: str, path: Path, said: str, needed: list[Library]) -> str:
    """Why the compiler made no program, in one line: the package that is missing, or the first error."""
    for library in needed:
        if f"{library.header}: No such file" in said or f"cannot find {library.flag}" in said:
            name = library.package.removesuffix("-dev")
            return f"{path.name} needs {name}, which is not here: apt-get install {library.package}"
    lines = said.splitlines()
    errors = [line for line in lines if "error" in line] or lines or ["it did not say why"]
    return f"{compiler} cannot compile {path.name}: {errors[0].strip()}"


def _apart(directory: str) -> dict[str, Any]:
    """Popen's arguments by which nothing of the caller's directory and environment reaches the compiler but PATH."""
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = "/"
    return {
        "cwd": directory,
        "stdin": subprocess.DEVNULL,
        "env": {"PATH": places.path(), "HOME": home, "TMPDIR": directory, "LC_ALL": "C"},
    }


def _cache() -> Path:
    """The directory of this user's twins, made if need be; raises CannotBuild where others could write to it."""
    try:
        home = places.user_cache()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = home.resolve() / "iotrace"
        place.mkdir(mode=0o700, exist_ok=True)
        directory = places.open_to_others(place)
        if directory:
            raise CannotBuild(
                f"compiled scenarios are not kept in {place}: others may write to {directory} "
                "(chmod go-w, or set XDG_CACHE_HOME)"
            )
    except KeyError:
        raise CannotBuild(
            "this user has no home to keep compiled scenarios in: set XDG_CACHE_HOME"
        ) from None
    except OSError as error:
        raise CannotBuild(
            f"compiled scenarios cannot be kept in {error.filename}: {error.strerror} "
            "(set XDG_CACHE_HOME)"
        ) from None
    return place


def main() -> None:
    """Says where the twin is; exits 0, 2 (usage) or 3 (cannot here)."""
    names = sorted(_name(path) for path in SOURCES.rglob("*.c") if path.name not in SHARED)
    arguments = argparse.ArgumentParser(
        prog="python -m tracer.run.twin", description=(__doc__ or "").partition("\n")[0]
    )
    arguments.add_argument("name", choices=names)
    try:
        program = built(SOURCES / f"{arguments.parse_args().name}.c")
        sys.stdout.buffer.write(os.fsencode(program) + b"\n")
    except CannotBuild as problem:
        print(f"twin: {problem}", file=sys.stderr)
        sys.exit(problem.status)


if __name__ == "__main__":
    main()
