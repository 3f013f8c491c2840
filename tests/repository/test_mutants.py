"""Which mutants `make mutants` makes, which tests it runs on each, and what it says."""

from __future__ import annotations

import builtins
from textwrap import dedent
from types import SimpleNamespace

import pytest

from ctipam.errors import Refused
from mutants import mutations, source_files
from mutants.__main__ import Options, choose, judge, read
from mutants.reach import LIMIT_S, NOTE, Reach, importers, noting
from mutants.source_files import ROOT


def mutated(source: str) -> list[str]:
    """Return the line that each mutant has in the place of another."""
    return [mutant.diff(source)[-1].lstrip("+ ") for mutant in mutations.mutants("x.py", source)]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (
            "if not a or b <= 2: c()",
            ["if True: c()", "if False: c()", "if   a or b <= 2: c()", "if not a and b <= 2: c()"],
        ),
        ("if not a or b <= 2: c()", ["if not a or b < 2: c()", "if not a or b <= 3: c()", "if not a or b <= 2: pass"]),
        ("if a not in b: raise Empty", ["if a in b: raise Empty", "if a not in b: pass"]),
        ("x = [a for a in b if a.ready]", ["x = [a for a in b if True]", "x = [a for a in b if False]"]),
        ("x = f(ClientToken=a)", ["x = f()"]),
        ('x = {"Tags": a}', ["x = {}", 'x = {"": a}']),
        ("x = any(a) - 1", ["x = all(a) - 1", "x = any(a) + 1", "x = any(a) - 2"]),
        ("a.b = c", ["pass"]),
    ],
)
def test_the_faults_are_those_that_people_make(line: str, lines: list[str]) -> None:
    assert set(lines) <= set(mutated(line))


@pytest.mark.parametrize(
    "line",
    [
        '"""A docstring."""',
        "x = 'a text for people'",
        "x = f'{a + 1}'",
        "logger.info('none', extra=a + 1)",
        "log_decision('shared', count=1)",
        "x: Literal['a'] = y",
        "x = a['Key']",
        "def f(a: Literal['b']) -> Literal['c']:\n    return a",
        "if TYPE_CHECKING:\n    import a",
        "T = TypeVar('T')",
        "Held = Mapping[str, Callable[[int], str | None]]",
        "@dataclass(frozen=True)\nclass A(TypedDict, total=False):\n    a: int",
        "x = zip(a, b, strict=True)",
        "CONCURRENT_READS = 40",
        "with ThreadPoolExecutor(max(1, a)) as b:\n    c = b",
    ],
)
def test_no_fault_is_planted_where_nothing_is_decided(line: str) -> None:
    assert mutated(line) == []


def test_a_sample_depends_on_the_seed_alone_and_has_the_files_that_were_asked_for() -> None:
    sources = {"pools/a.py": "x = 1 + 2\ny = 3 + 4\n", "sharing/b.py": "z = 5 + 6\n"}

    chosen, total = choose(Options(seed=1, sample=4, only=("pools",)), sources)

    assert total == 6
    assert [mutant.path for mutant in chosen] == ["pools/a.py"] * 4
    assert choose(Options(1, 4, ("pools",)), sources) == (chosen, total)
    assert choose(Options(2, 4, ("pools",)), sources) != (chosen, total)
    with pytest.raises(Refused, match="No file's path contains nothing"):
        choose(Options(1, 4, ("nothing",)), sources)


@pytest.mark.parametrize("word", ["sead=1", "seed=one", "sample=0", "seed=-1"])
def test_a_word_that_is_no_word_is_refused(word: str) -> None:
    assert read(["seed=7", "only=pools,names", "PYTHON=python3"]) == Options(7, 200, ("pools", "names"))
    with pytest.raises(Refused, match=word.partition("=")[0]):
        read([word])


def test_every_statement_of_a_function_notes_that_it_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    source = dedent('''
        """A docstring."""
        from __future__ import annotations
        LIMIT = 1
        def f(a):
            if a:
                return 1
            elif not a:
                try:
                    raise KeyError
                except KeyError:
                    return 2
        ''')
    noted: list[tuple[str, int]] = []
    monkeypatch.setattr(builtins, NOTE, noted.append, raising=False)
    names: dict[str, object] = {}
    exec(compile(noting("x.py", source), "x.py", "exec"), names)  # noqa: S102

    assert names["__doc__"] == "A docstring."
    assert names["f"](0) == 2  # type: ignore[operator]
    assert noted == [("x.py", line) for line in (6, 8, 9, 10, 12)]


def test_our_modules_are_imported_anew_for_each_mutant_also_from_a_folder_without_an_init(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = SimpleNamespace(__file__=f"{ROOT}/tests/in_process/turns.py")
    folder = SimpleNamespace(__file__=None, __path__=[f"{ROOT}/tests/in_process"])
    modules = {"in_process": folder, "in_process.turns": ours, "mutants.reach": ours, "sys": SimpleNamespace()}
    monkeypatch.setattr(source_files, "sys", SimpleNamespace(modules=modules))

    source_files.forget()

    assert set(modules) == {"mutants.reach", "sys"}


def test_a_mutant_meets_the_fastest_tests_file_by_file_and_none_after_the_limit() -> None:
    reach = Reach({"constants.py": {"y.py"}})
    reach.seconds = {"t::a[1]": 1, "t::a[2]": 2, "u::b": 3, "t::slow": LIMIT_S, "u::slower": LIMIT_S + 1, "t::other": 1}
    reach.tests = {("x.py", 4): {*reach.seconds} - {"t::other"}, ("y.py", 9): {"t::other"}}

    assert reach.of("x.py", 4) == ["t::a[1]", "t::a[2]", "t::slow", "u::b"]
    assert reach.of("y.py", 1) == ["t::other"], "the module's first line runs when it is imported"
    assert reach.of("constants.py", 1) == ["t::other"], "the module has no function, but one that imports it"
    assert set(reach.of("z.py", 1)) == {*reach.of("x.py", 4), "t::other"}, "nobody imports it either"
    reach.subjects = {"u": {"x.py"}}
    assert reach.of("x.py", 4) == ["u::b", "u::slower"], "the unit tests of the module come first"
    reach.subjects = {"t": {"names.py"}}
    assert set(reach.of("names.py", 1)) == {"t::a[1]", "t::a[2]", "t::other", "t::slow"}, "they may read a constant"


def test_a_file_is_imported_by_those_that_name_it_or_something_in_it() -> None:
    sources = {
        "libraries/ctipam/a.py": "from ctipam import names\nfrom ctipam.pools import spec\n",
        "index.py": "def handler():\n    from ctipam.names import share_name\n",
    }

    found = importers(sources)

    assert found["libraries/ctipam/names.py"] == {*sources}
    assert found["libraries/ctipam/pools/spec.py"] == {"libraries/ctipam/a.py"}
    assert found["libraries/ctipam/__init__.py"] == {"libraries/ctipam/a.py"}


def test_a_score_below_the_promise_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(tried=100, survived=8, seconds=60) == 0
    assert judge(tried=100, survived=9, seconds=60) == 1
    assert "Killed 91 of 100 mutants in 60 s: 91.0 %" in capsys.readouterr().out
