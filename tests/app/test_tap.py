"""What the operator sees when a start fails."""

import pytest

from emailgency.tap import Options, makeService


def test_a_mistake_in_the_settings_ends_the_start_with_its_line_and_no_traceback(tmp_path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('\nhost_nam = "x"\n')
    options = Options()
    options.parseOptions(["--settings", str(wrong), "--data", str(tmp_path / "data")])
    options.parent = {}
    with pytest.raises(SystemExit) as end:
        makeService(options)
    assert str(end.value).startswith(f"emailgency: {wrong}:2: ")
