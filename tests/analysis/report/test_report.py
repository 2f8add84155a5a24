"""The report: one page that needs nothing else, the answer first, and an honest word where something is missing."""

import re
from html.parser import HTMLParser

import pytest

from analysis.__main__ import main
from analysis.figures.registry import FIGURES
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import TABLES
from study.config.budget import format_cost
from study.config.study_config import Study
from study.confirm.comparisons import settings_of
from study.display.advice import alike, best_by_budget, recommended, warnings
from study.display.rows import setting
from study.files.results import Results
from study.race.standings import standings
from tests.support.analysis_folders import BEST, STORED, change_record, keep_rows, killed, stored


class Page(HTMLParser):
    """What the page has: tags with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.unfolded, self.open, self.sections = [], [], [], [], []
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))
        self.seen_first = re.sub(r"\s+", " ", " ".join(self.unfolded))  # without what a click opens

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag == "section":
            self.sections.append(dict(attrs)["id"])

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:  # what HTML does not close
            pass

    def handle_data(self, data):
        self.words.append(data)
        if "details" not in self.open:
            self.unfolded.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def report(*folders, out, flags=()):
    assert main([*map(str, folders), "--out", str(out), *flags]) == 0
    return Page((out / "report.html").read_text())


def code_of(folder):
    """The first letters of the commit that a study was run with."""
    return Results(folder).read_study()["git"]["hash"][:7]


def small(folder, *without):
    """The stored study with eight trials, no epochs and no corrupted sets: few figures, so that a report is quick."""
    stored(folder, "epochs.csv", "corruptions.csv", *without)
    change_record(folder, options__trials=8)
    return keep_rows(folder, "trials", lambda row: row["trial"] < 8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    return out, report(STORED, out=out)


# ---------------------------------------------------------------------------------------------------- one whole study


def test_report_holds_every_table_in_three_formats_and_every_figure_in_two(whole):
    out, _ = whole
    stems = {name.replace("/", "-") for name in TABLES if name not in BESIDE}  # of those, only what was run
    assert {path.name for path in (out / "tables").iterdir()} == {
        f"{s}.{end}" for s in stems for end in ("md", "tex", "csv")
    }
    drawn = {path.stem for path in (out / "figures").iterdir()}
    assert drawn <= set(FIGURES)
    assert {path.name for path in (out / "figures").iterdir()} == {
        f"{s}.{end}" for s in drawn for end in ("svg", "png")
    }


def test_page_asks_for_nothing_and_is_below_three_megabytes(whole):
    out, page = whole
    text = (out / "report.html").read_text()
    assert len(text) < 3_000_000
    names = ("src", "href", "srcset", "xlink:href", "action", "data")
    sources = [value for _, attrs in page.tags for name, value in attrs.items() if name in names]
    assert [each[:40] for each in sources if not each.startswith(("data:image/png;base64,", "#"))] == []
    assert page.all("script") == page.all("link") == page.all("iframe") == page.all("img") == []
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "@import" not in text


def test_page_has_what_a_reader_aloud_needs(whole):
    _, page = whole
    assert page.all("html") == [{"lang": "en"}]
    drawn = page.all("svg")
    assert drawn
    assert all(each["role"] == "img" and each["aria-label"] for each in drawn)
    assert {tag for tag, _ in page.tags} >= {"header", "main", "nav", "h1", "h2", "h3"}
    assert all(attrs.get("scope") for attrs in page.all("th"))
    regions = [attrs for attrs in page.all("div") if attrs.get("role") == "region"]
    assert all(attrs["tabindex"] == "0" for attrs in regions)
    assert len({attrs["aria-label"] for attrs in regions}) == len(regions)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)


def test_sections_stand_in_the_order_in_which_they_are_asked_for(whole):
    _, page = whole
    assert page.sections == ["answer", "search", "robustness", "published", "method"]
    order = [f"Recommended within 4N per epoch: {BEST}", "It beats vanilla", "H against cost"]
    order += ["Before you quote these numbers", "harmonic mean", "Best setting for each budget", "Confirmed settings"]
    order += ["The space under the budget", "Marginal curves", "Which corruptions decide the difference"]
    order += ["Accuracy by corruption", "a part of Fashion-MNIST", "No trial and no run failed"]
    places = [page.seen_first.index(text) for text in order]
    assert places == sorted(places)
    for told in ("--budget 4N", "torch 2", "n = 5: k up to 0.6"):
        assert told in page.text
    assert "What is missing" not in page.text


def test_page_has_the_warnings_and_the_table_by_budget_of_the_terminal(whole):
    _, page = whole
    results = Results(STORED)
    study, found = Study.from_dict(results.read_study()["options"]), settings_of(results.confirm)
    top, known = recommended(found), standings(study, results.trials, results.race)
    warned = warnings(results, alike(found, top), top, known)
    assert warned
    for text in warned:
        assert text.removeprefix("warning: ")[1:] in page.seen_first
    for line in best_by_budget(study, known):
        row = f"within {format_cost(line.budget)} {setting(line.row)} {format_cost(round(line.row['cost'], 3))}"
        assert f"{row} {line.mean:.2f} ± {line.spread:.2f} {line.runs}" in page.seen_first


def test_published_tables_without_rows_of_ours_are_folded(whole):
    _, page = whole
    assert "(EntProp, UAI 2024, table 2)" in page.text
    assert "table 2)" not in page.seen_first
    assert "19 other published tables" in page.text


def test_points_of_the_first_figure_say_name_h_and_cost_when_pointed_at_or_focused(whole):
    _, page = whole
    hits = [attrs for attrs in page.all("span") if attrs.get("class", "").startswith("hit")]
    focused = [attrs["aria-label"] for attrs in hits if attrs.get("tabindex") == "0"]
    assert any(re.match(r"vanilla: H 73\.21 ± 0\.87, 1N per epoch", text) for text in focused)
    assert any(text.startswith("EntProp k=0.527 n=4: H 76.79") for text in focused)
    places = [float(value) for attrs in hits for value in re.findall(r"[\d.]+", attrs["style"])]
    assert all(0 <= value <= 100 for value in places)


def test_report_of_a_table_shows_our_rows_above_the_printed_ones_and_the_attacks(tmp_path):
    page = report(STORED.parent / "fashion-entprop-16", out=tmp_path / "r")
    assert page.sections == ["answer", "sensitivity", "robustness", "attacks", "published", "method"]
    shown = page.seen_first
    assert "Highest mean H of 12 settings: entprop k=0.7" in shown
    assert "the setting with the highest mean was chosen on the test images" in shown
    table = shown[shown.index("The share k from 0 to 1") :]
    assert table.index("Ours: fashion, resnet8, 15 epochs") < table.index("Printed: CIFAR-100, ResNet-18")
    assert "− printed" not in table  # no difference across data sets
    assert shown.count("± half width of the 95 % confidence interval. * differs") == 1  # one caption for all tables
    assert "PGD-20, ε = 8/255" in shown
    assert "Best setting for each budget" not in shown


@pytest.mark.slow
def test_same_study_gives_the_same_files(whole, tmp_path):
    out, _ = whole
    report(STORED, out=tmp_path)
    for path in sorted(out.rglob("*.*")):
        assert (tmp_path / path.relative_to(out)).read_bytes() == path.read_bytes(), path.name


# ---------------------------------------------------------------------------------------------------- less than whole


def test_report_of_a_killed_study_lies_in_its_folder_and_shows_no_confirmed_number(tmp_path, capsys):
    folder = killed(tmp_path / "s")
    assert main([str(folder)]) == 0
    told = capsys.readouterr().out
    page = Page((folder / "report" / "report.html").read_text())
    for text in ("What is missing", "16 of 24 trials have not ended", "There is no result to quote yet"):
        assert text in page.text
    assert "test H" not in page.text or "not confirmed" in page.text
    assert "missing:\n  the study is not finished (state: running)" in told
    assert f"wrote {folder / 'report' / 'report.html'}" in told


def test_page_of_a_running_study_reloads_itself_until_the_study_has_ended(tmp_path, monkeypatch):
    folder, seen = killed(tmp_path / "s"), []

    def wait(seconds):
        page = Page((folder / "report" / "report.html").read_text())
        seen.append([each["content"] for each in page.all("meta") if each.get("http-equiv") == "refresh"])
        assert re.search(r"The study is running. Written at \d\d:\d\d:\d\d; the page reloads every 30 s.", page.text)
        change_record(folder, state="finished")

    monkeypatch.setattr("analysis.__main__.time.sleep", wait)
    assert main([str(folder), "--watch"]) == 0
    assert seen == [["30"]]  # and no address: it loads itself
    page = (folder / "report" / "report.html").read_text()
    assert "http-equiv" not in page
    assert "The study is running" not in page


def test_ctrl_c_ends_watching_quietly(monkeypatch, capsys):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("analysis.__main__.report", lambda *arguments: True)
    monkeypatch.setattr("analysis.__main__.time.sleep", interrupt)
    assert main(["runs/s", "--watch"]) == 0
    assert capsys.readouterr().err == ""


def test_page_that_nobody_writes_again_does_not_reload(tmp_path):
    assert not [each for each in report(killed(tmp_path / "s"), out=tmp_path / "r").all("meta") if "http-equiv" in each]


def test_report_names_failed_trials_and_runs_with_the_first_line_of_their_error(tmp_path):
    results = Results(small(tmp_path / "s"))
    results.put_trial({**results.trials[3], "status": "failed", "val_h": None, "error": "out of memory: CUDA\nmore"})
    results.put_confirm({**results.confirm[0], "h": None, "sa": None, "ra": None, "error": "loss is NaN\nmore"})
    page = report(tmp_path / "s", out=tmp_path / "r")
    assert "trial 3 of s, entprop k=0.259 n=3 ε=1.06 cross_entropy: out of memory: CUDA " in page.text
    assert "published, entprop k=0.6 n=5 ε=6 entropy, seed 1: loss is NaN " in page.text


def test_report_of_one_seed_has_no_interval_and_no_mark(tmp_path):
    folder = change_record(keep_rows(small(tmp_path / "s"), "confirm", lambda row: row["seed"] == 1), options__seeds=1)
    page = report(folder, out=tmp_path / "r")
    assert "every setting has one seed" in page.text
    table = (tmp_path / "r" / "tables" / "cost.md").read_text().split("On the front")[0]
    assert "±" not in table
    assert "\\*" not in table


def test_report_without_a_confirmation_says_that_nothing_may_be_quoted(tmp_path):
    page = report(small(tmp_path / "s", "confirm.csv"), out=tmp_path / "r")
    assert "no run was measured on test images, so no number here may be quoted" in page.text


def test_report_of_runs_without_trials(tmp_path):
    page = report(stored(tmp_path / "s", "trials.csv", "epochs.csv", "corruptions.csv"), out=tmp_path / "r")
    assert "24 of 24 trials have not ended" in page.text
    assert f"Recommended within 4N per epoch: {BEST}" in page.text


def test_what_a_study_says_of_itself_is_text_and_not_markup(tmp_path):
    folder = change_record(small(tmp_path / "s", "confirm.csv"), command=["study/run.py", "<script>alert(1)</script>"])
    assert report(folder, out=tmp_path / "r").all("script") == []


# ----------------------------------------------------------------------------------------------------- several studies


def test_report_of_two_studies_has_a_leaderboard_and_compares_them(tmp_path, capsys):
    one, other = small(tmp_path / "a"), change_record(small(tmp_path / "b"), git__hash="fedcba98")
    results = Results(other)
    for row in results.confirm:
        if row["why"] == "best-1":
            results.put_confirm({**row, "h": row["h"] + 1})
    page = report(one, other, out=tmp_path / "r")
    assert page.sections[:2] == ["leaderboard", "answers"]
    board = page.seen_first[page.seen_first.index("Best setting of each study") :]
    assert board.index(f"b {BEST} validation") < board.index(f"a {BEST} validation")  # the higher mean first
    assert "The best of a cannot be tested against the best of b: -1.00 H" in page.text
    assert f"differs: code: {code_of(STORED)}" in capsys.readouterr().out


def test_studies_of_two_protocols_are_refused_unless_told(tmp_path, capsys):
    one = small(tmp_path / "a")
    other = change_record(small(tmp_path / "b"), options__trial__epochs=12)
    assert main([str(one), str(other), "--out", str(tmp_path / "r")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: studies must be of one protocol to be merged, got epochs 15 (a) and 12 (b)")
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "r").exists()
    assert "epochs 15 (a) and 12 (b)" in report(one, other, out=tmp_path / "r", flags=["--mix"]).text


# ---------------------------------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: None])
def test_folder_without_results_is_one_line_and_exit_code_2(tmp_path, capsys, make):
    make(tmp_path / "s")
    assert main([str(tmp_path / "s")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: no results in {tmp_path / 's'}; write them with python study/run.py")
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "s" / "report").exists()


def test_no_folder_is_one_line_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
