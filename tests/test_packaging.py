"""What a user gets by `pip install`: the wheel, in an environment of its own, shows the plugin and the command."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib import metadata

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TWISTD = "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Built from a copy: a build leaves folders behind, and takes along what it finds in old ones."""
    source = tmp_path_factory.mktemp("source")
    for folder in ("emailgency", "twisted", "web"):
        if os.path.isdir(os.path.join(ROOT, folder)):
            ignored = shutil.ignore_patterns("__pycache__", "*.cache")
            shutil.copytree(os.path.join(ROOT, folder), source / folder, ignore=ignored)
    for file in ("pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md"):
        if os.path.exists(os.path.join(ROOT, file)):
            shutil.copy(os.path.join(ROOT, file), source)
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(source)]
    built = subprocess.run(words, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (name,) = os.listdir(folder)
    return str(folder / name)


@pytest.fixture(scope="module")
def python(wheel: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fresh environment with the wheel in it; its dependencies are those of this one, to be quick."""
    folder = str(tmp_path_factory.mktemp("environment"))
    venv.create(folder, with_pip=False, symlinks=True)
    site = sysconfig.get_path("purelib", "venv", vars={"base": folder})
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    with open(os.path.join(site, "dependencies.pth"), "w", encoding="utf-8") as file:
        file.write(sysconfig.get_path("purelib") + "\n")
    return os.path.join(folder, "bin", "python")


def run(python: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run([python, *words], cwd="/", env=environment, capture_output=True, text=True, timeout=60)


def test_twistd_help_lists_the_plugin_after_a_normal_install(python: str) -> None:
    told = run(python, "-c", TWISTD, "--help")
    assert told.returncode == 0, told.stderr
    assert "\n    emailgency " in told.stdout


def test_the_plugin_loads_nothing_of_ours(python: str) -> None:
    code = (
        "import sys, twisted.plugins.emailgency_plugin; print([n for n in sys.modules if n.startswith('emailgency')])"
    )
    assert run(python, "-c", code).stdout == "[]\n"


def test_the_options_of_the_server_are_told(python: str) -> None:
    told = run(python, "-c", TWISTD, "emailgency", "--help").stdout
    assert "--settings" in told
    assert "--data" in told
    assert "demo" in told


def test_a_wrong_setting_ends_the_start_with_its_line(python: str, tmp_path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("\n[log]\njsno = true\n")
    told = run(
        python, "-c", TWISTD, "-n", "--pidfile=", "emailgency", "--settings", str(settings), "--data", str(tmp_path)
    )
    assert told.returncode == 1
    assert f"{settings}:3: jsno is not known in [log]; did you mean json?" in told.stdout + told.stderr


def test_the_wheel_holds_all_modules_and_the_command(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (points,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "emailgency = emailgency.cli:main" in archive.read(points).decode()
    for folder, _, files in os.walk(os.path.join(ROOT, "emailgency")):
        for file in files:
            if file.endswith(".py"):
                assert os.path.relpath(os.path.join(folder, file), ROOT) in names
    assert "twisted/plugins/emailgency_plugin.py" in names
    assert "twisted/__init__.py" not in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]


def test_the_wheel_holds_what_the_console_shows(wheel: str) -> None:
    """Templates, styles, catalogues, the help and its pictures: below share/emailgency, where it is looked for."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name.partition("/share/emailgency/")[2] for name in archive.namelist()}
    for folder, _, files in os.walk(os.path.join(ROOT, "web")):
        for file in files:
            assert os.path.relpath(os.path.join(folder, file), ROOT) in names


def test_every_import_is_a_declared_dependency(wheel: str) -> None:
    """What is imported anywhere in the package comes with Python or with a requirement of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        lines = re.findall("^Requires-Dist: (.*)$", archive.read(path).decode(), re.MULTILINE)
        sources = [archive.read(name) for name in archive.namelist() if name.endswith(".py")]
    imported = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).split(".")[0])
    distributions = metadata.packages_distributions()
    given = {re.split(r"[\[ <>=~!;]", line)[0].lower() for line in lines if "extra ==" not in line}
    for name in sorted(imported - set(sys.stdlib_module_names) - {"emailgency"}):
        providers = {distribution.lower() for distribution in distributions.get(name, [])}
        assert providers & given, f"{name} is imported, and no requirement brings it"
