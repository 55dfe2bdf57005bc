"""The command line from outside: help, exit codes, JSON, quiet, debug, interruption."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from brainworth.design.cli import app, main
from brainworth.design.common.errors import HealthRefusal, Infeasible

COMMANDS = sorted(name for name in typer.main.get_command(app).commands)  # pyright: ignore[reportAttributeAccessIssue]
SYSTEM = """\
signal_variance = 1.0
noise_variance = 2.0
alignment = [0.3, 0.1]
[spectrum]
dimension = 50
exponent = 1.0
[[source]]
name = "fMRI"
channels = 60
snr = [4.0, 1.0]
[[source]]
name = "EEG"
channels = 30
snr = [0.5, 0.1]
"""


@pytest.fixture
def system(tmp_path: Path) -> str:
    (tmp_path / "system.toml").write_text(SYSTEM)
    return str(tmp_path / "system.toml")


def test_the_commands_are_there() -> None:
    assert set(COMMANDS) >= {"init", "check", "predict", "schema", "datasets"}


@pytest.mark.parametrize("command", [*COMMANDS, "datasets get"])
def test_help_has_an_example_and_quiet(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "brainworth " + command.split(maxsplit=1)[0] in out.split("xample:", 1)[1]
    assert "--quiet" in out


def test_help_is_immediate() -> None:
    """Nothing slow is imported for --help."""
    slow = "import sys, brainworth.design.cli as c; c.main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", slow], capture_output=True, text=True, check=True)
    modules = done.stdout.rsplit("\n", 2)[-2]
    assert not [
        name
        for name in ("jax", "pandas", "cvxpy", "scipy", "numpyro", "numpy", "pydantic", "rich")
        if f"'{name}'" in modules
    ]


def test_no_arguments_show_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from brainworth import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"brainworth {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["chekc"], "Did you mean 'check'"),
        (["check"], "STUDY"),
        (["check", "a", "b"], "unexpected extra argument"),
        (["check", "a", "--jsn"], "--jsn"),
        (["predict", "s.toml"], "--task"),
        (["predict", "s.toml", "--task", "many"], "valid number"),
        (["predict", "s.toml", "--task", "3", "--brain", "EEG"], "NAME=N"),
        (["datasets", "get"], "NAME"),
        (["datasets", "get", "haxby2001_fmri"], "Did you mean 'haxby2001_fmri_categories'"),
    ],
)
def test_usage_errors_are_one_paragraph(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err[:-1].isprintable()
    assert expected in err


@pytest.mark.parametrize("position", [0, 1, 2])
def test_debug_shows_a_traceback_anywhere(position: int, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "nowhere.toml"]
    arguments.insert(position, "--debug")
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("nowhere.toml: ")


@pytest.mark.parametrize(
    ("failure", "code", "text"),
    [
        (Infeasible("The budget of 10 USD is below one session\nof 300 USD."), 3, "below one session of 300"),
        (HealthRefusal("R-hat is 1.4."), 4, "R-hat is 1.4."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (RuntimeError("boom"), 1, "fault in brainworth"),
    ],
)
def test_exit_codes(
    failure: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_folder: Path) -> None:
        raise failure

    monkeypatch.setattr("brainworth.design.study_file.scaffold.write_example", fail)
    assert main(["init", "somewhere"]) == code
    err = capsys.readouterr().err
    assert err[:-1].isprintable() or code == 130
    assert text in err
    assert "Traceback" not in err


def test_a_closed_pipe_is_no_error() -> None:
    code = "import sys; from brainworth.design.cli import main; sys.exit(main(['schema']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_init_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "study"
    assert main(["init", str(folder)]) == 0
    assert str(folder) in capsys.readouterr().out
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(before) == ["eeg.csv", "labels.csv", "stimuli.csv", "study.toml"]
    assert main(["check", str(folder / "study.toml")]) == 0
    assert "EEG" in capsys.readouterr().out
    assert main(["check", str(folder / "study.toml"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "ok"
    assert found["stimuli"] == {"count": 120, "features": 6, "groups": 12}
    assert found["labels"] == {"count": 80, "stimuli": 80, "kind": "regression"}
    assert found["modalities"]["EEG"] == {
        "pilot": True, "subjects": 2, "samples": 240, "stimuli": 120, "channels": [8], "repeats": 1.0,
    }  # fmt: skip
    assert main(["check", str(folder / "study.toml"), "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["init", str(folder)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert main(["init", str(folder / "study.toml")]) == 2
    assert "file" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    assert main(["init", str(tmp_path / "mine"), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_init_beside_the_data_of_a_pilot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Data must lie in the folder of the study file, so the study file must be able to come to the data."""
    (tmp_path / "bids").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["init", str(tmp_path)]) == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bids", "eeg.csv", "labels.csv", "notes.txt", "stimuli.csv", "study.toml",
    ]  # fmt: skip
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "labels.csv").write_text("mine")
    assert main(["init", str(tmp_path / "other")]) == 2
    assert "it holds 'labels.csv', and nothing is overwritten" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["labels.csv"]


def test_check_shows_what_is_special(tmp_path: Path, system: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "study"), "-q"]) == 0
    study = tmp_path / "study" / "study.toml"
    text = study.read_text()
    study.write_text(text.replace('recordings = "eeg.csv"', ""))
    assert main(["check", str(study)]) == 0
    assert "planned from its prior" in capsys.readouterr().out
    (tmp_path / "study" / "system.toml").write_text(Path(system).read_text())
    study.write_text(text + '\n[system]\nfile = "system.toml"\n')
    assert main(["check", str(study)]) == 0
    out = capsys.readouterr().out
    assert "known system" in out
    assert "no pilot is read" in out


def test_markup_in_names_is_shown_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "s"), "-q"]) == 0
    study = tmp_path / "s" / "study.toml"
    study.write_text(study.read_text().replace("Example: EEG pilot", "[red]x[/red] [link=a]b"))
    assert main(["check", str(study)]) == 0
    assert "[red]x[/red] [link=a]b" in capsys.readouterr().out


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert "cost_per_label" in schema["$defs"]["Task"]["properties"]


def test_predict(system: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predict", system, "--brain", "fMRI=2000", "--brain", "EEG=100", "--task", "300", "--shift", "2"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    promised = "excess_risk explainable_r2 r2 encoding_r2 task_only equivalent_labels marginal_rate shift validity"
    assert list(found) == promised.split()
    risk, shift = found["excess_risk"], found["shift"]
    np.testing.assert_allclose(found["explainable_r2"], 1 - risk)
    np.testing.assert_allclose(found["r2"], 1 - (risk + 2) / 3)
    np.testing.assert_allclose(shift["risk_in"] + shift["risk_out"], risk)
    np.testing.assert_allclose(shift["excess_risk"], shift["risk_in"] + 2 * shift["risk_out"])
    np.testing.assert_allclose(shift["robustness_gain"], shift["task_only_excess_risk"] / shift["excess_risk"])
    assert set(found["encoding_r2"]) == {"all", "fMRI", "EEG"}
    assert np.all(np.array(found["encoding_r2"]["all"]) >= np.array(found["encoding_r2"]["fMRI"]))
    assert risk < found["task_only"]["excess_risk"]
    assert found["equivalent_labels"] > 0
    assert found["marginal_rate"]["fMRI"] > 0
    assert main(arguments) == 0
    assert "excess risk" in capsys.readouterr().out
    assert main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_predict_warns_outside_of_the_measured_range(
    system: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", system, "--brain", "fMRI=2000", "--task", "300", "--json"]
    assert main(arguments) == 0
    inside = capsys.readouterr()
    assert json.loads(inside.out)["validity"] == []
    assert inside.err == ""
    few = tmp_path / "few.toml"
    few.write_text(Path(system).read_text().replace("dimension = 50", "dimension = 12"))
    assert main(["predict", str(few), *arguments[2:]]) == 0
    outside = capsys.readouterr()
    sentences = json.loads(outside.out)["validity"]
    assert "12 features are few" in sentences[0]
    assert outside.err.splitlines() == [f"Warning: {sentence}" for sentence in sentences]
    assert main(["predict", str(few), *arguments[2:], "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_predict_other_estimators(system: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exact formulas of projection and least squares; what is infinite is null in JSON."""

    def ask(*arguments: str) -> dict[str, object]:
        assert main(["predict", system, "--json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    assert ask("--task", "150", "--estimator", "ols")["excess_risk"] == pytest.approx(2.0 * 50 / 99)
    few = ask("--task", "20", "--estimator", "ols")
    assert few["excess_risk"] is None
    assert few["shift"] == dict.fromkeys(
        ("risk_in", "risk_out", "excess_risk", "task_only_excess_risk", "robustness_gain")
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--task", "-1"], "--task"),
        (["--task", "1", "--shift", "nan"], "--shift"),
        (["--task", "1", "--estimator", "optimum"], "Did you mean 'optimal'"),
        (["--task", "1", "--brain", "fmri=10"], "Did you mean 'fMRI'"),
        (["--task", "1", "--brain", "fMRI=-10"], "at least 0"),
        (["--task", "1", "--brain", "fMRI=1", "--brain", "fMRI=2"], "given twice"),
    ],
)
def test_predict_refuses(arguments: list[str], expected: str, system: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", system, *arguments]) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err[:-1].isprintable()
