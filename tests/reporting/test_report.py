"""The report of runs with known results."""

import io
import re
import shlex
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from cfu_core.cli import main
from cfu_core.cli.terminal import INTERRUPTED
from cfu_core.dataset.audit.limits import save_limit
from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.splitting import split_of
from cfu_core.errors import CfuError
from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.reporting import pdf
from cfu_core.reporting.inputs_section import dataset_sections
from cfu_core.reporting.replay_commands import again_command, train_command
from cfu_core.reporting.report import report_html, write_report
from cfu_core.reporting.results_section import summary_table
from cfu_core.reporting.run_plots import figures_zip
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.repeats import in_folds
from tests.pages.written import write_run

HOSTILE = "<script>alert('x')</script> & <b>"


class Loads(HTMLParser):
    """Collects what a page loads, and its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.found += [named[name] for name in ("src", "srcset", "data", "poster") if named.get(name)]
        if tag in ("script", "link", "iframe", "object"):
            self.found.append(tag)


def test_a_report_has_the_numbers_of_the_runs_and_loads_nothing(small_dataset):
    runs = [write_run(small_dataset), write_run(small_dataset, preprocessed=True, wrong=[0, 1])]
    runs[1].rename(HOSTILE)
    html = report_html(runs)
    evaluation = runs[1].evaluation()
    low, high = wilson_interval(evaluation.correct, evaluation.n_images)
    assert f"{evaluation.accuracy:.4f}" in html
    assert f"{low:.3f} to {high:.3f}" in html
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    page = Loads()
    page.feed(html)
    assert page.found == []
    assert not re.search(r"url\(\s*['\"]?(?!#|data:)", html)
    assert "@import" not in html
    drawings = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(drawings) > 5
    for drawing in drawings:
        ElementTree.fromstring(drawing)


def test_a_report_is_written_completely_and_other_suffixes_are_refused(small_dataset, tmp_path):
    run = write_run(small_dataset)
    write_report([run], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    with pytest.raises(CfuError):
        write_report([run], tmp_path / "report.docx")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("report")] == ["report.html"]


def test_a_report_loads_a_dataset_once_to_know_its_missing_classes(nine_shapes, cfu_home, monkeypatch):  # noqa: ARG001
    (nine_shapes / "star").mkdir()
    data = import_source(nine_shapes)
    loaded = []

    def load(identifier):
        loaded.append(identifier)
        return load_dataset(identifier)

    monkeypatch.setattr("cfu_core.reporting.replay_commands.load_dataset", load)
    html = report_html([write_run(data), write_run(data)])
    assert html.count("--without-missing-classes") == 2
    assert loaded == [data.id]


def test_without_a_browser_the_error_says_how_to_print(small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "find_browser", lambda: None)
    with pytest.raises(CfuError, match="print"):
        write_report([write_run(small_dataset)], tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


def test_the_train_command_has_the_settings_of_the_run(small_dataset, monkeypatch):
    run = write_run(small_dataset, preprocessed=True)
    assert shlex.split(again_command(run))[3:] == ["again", run.id]
    planned = []

    def record(configs, dataset):
        assert dataset.id == small_dataset.id
        planned.extend(configs)
        raise KeyboardInterrupt

    monkeypatch.setattr("cfu_core.runs.planning.plan_runs", record)
    assert main(shlex.split(train_command(run))[3:]) == INTERRUPTED
    assert planned == [run.config]
    config = replace(run.config, folds=5, fold=1)
    assert train_command(plan_runs([config], small_dataset)[0]) is None


def test_each_fold_has_its_table_of_images_by_partition(small_dataset):
    runs = plan_runs(in_folds(write_run(small_dataset), 5), small_dataset)
    (section,) = dataset_sections([*runs, runs[0]])
    captions = [table.caption for table in section.tables[:-2]]
    assert captions == [
        f"Table 2. Images by class and partition; split seed 0, fold {fold} of 5" for fold in range(1, 6)
    ]
    (single,) = dataset_sections([write_run(small_dataset)])
    assert single.tables[0].caption == "Table 2. Images by class and partition; split seed 0"


@pytest.mark.usefixtures("cfu_home")
def test_the_inputs_say_what_the_import_left_out(nine_shapes):
    (section,) = dataset_sections([write_run(import_source(nine_shapes))])
    assert section.facts["Left out"] == "nothing"
    (nine_shapes / "ring" / "cut.png").write_bytes(b"no image")
    (section,) = dataset_sections([write_run(import_source(nine_shapes, name="another"))])
    assert section.facts["Left out"] == "1 file was left out at the import, of the class ring."


def test_the_inputs_list_every_check_of_the_audit_and_limits_that_were_moved(small_dataset):
    save_limit(small_dataset.id, "small-test", 3)
    (section,) = dataset_sections([write_run(small_dataset)])
    table = section.tables[-2]
    assert table.caption == "Audit of the dataset"
    assert table.rows[0] == ["Files left out at the import", "0 files", "–", "–"]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Blurred"] == ["0 of 0 images; 36 not measured yet", "–", "–"]
    assert rows["Few images to test"][1:] == ["warning", "limit changed from 10 to 3"]
    assert table.note.startswith("32 checks: 1 warning, 1 remark. Measures and limits are those at the time of this ")
    assert "Few images to test: In the test partition: " in table.note


def test_a_dish_that_was_divided_is_named_beside_the_table_of_the_split(small_dataset):
    (section,) = dataset_sections([write_run(small_dataset)])
    assert section.facts["Groups"].startswith("no dish or donor is known: images of one dish may be on both sides")
    dish = small_dataset.images["path"].tolist()[:4]
    data = edit_dataset(small_dataset.id, "group", dict.fromkeys(dish, "X"))
    (section,) = dataset_sections([write_run(data)])
    assert section.facts["Groups"].startswith("yes: ")
    assert "leak" not in section.tables[0].note
    other = "test" if split_of(data).assignment[dish[0]] != "test" else "training"
    (section,) = dataset_sections([write_run(edit_dataset(data.id, "partition", {dish[0]: other}))])
    assert section.facts["Groups"] == "yes, but images of one dish or donor are in several partitions; see Table 2"
    assert section.tables[0].note.startswith(
        "Groups in several partitions (leak): 1 group is in several partitions: X "
    )


@pytest.mark.usefixtures("cfu_home")
def test_identical_images_that_the_source_gives_to_two_partitions_are_named_beside_the_table(nine_shapes):
    paths = [f"{label}/0{i}.png" for label in ("disc", "ring", "square") for i in range(3)]
    rows = [
        f"{path},{path.partition('/')[0]},{('training', 'validation', 'test')[i % 3]}" for i, path in enumerate(paths)
    ]
    (nine_shapes / "manifest.csv").write_text("\n".join(["path,label,partition", *rows]))
    (nine_shapes / paths[2]).write_bytes((nine_shapes / paths[0]).read_bytes())
    (section,) = dataset_sections([write_run(import_source(nine_shapes))])
    assert section.facts["Groups"].endswith("; identical images are in several partitions; see Table 2")
    assert section.tables[0].note.startswith(
        "Copies in different partitions (leak): 2 images in 1 group are copies of each other in different partitions. "
    )


@pytest.mark.usefixtures("cfu_home")
def test_runs_that_were_tested_on_one_image_are_reported_without_bootstrap_and_comparison(nine_shapes):
    dataset = import_source(nine_shapes, name="nine")
    tested = [path for path, partition in split_of(dataset).assignment.items() if partition == "test"]
    dataset = edit_dataset(dataset.id, "partition", dict.fromkeys(tested[1:], "training"))
    runs = [write_run(dataset), write_run(dataset, preprocessed=True), write_run(dataset, key="googlenet", wrong=[0])]
    evaluation = runs[0].evaluation()
    assert evaluation.n_images == 1
    table = summary_table(evaluation)
    low, high = wilson_interval(1, 1)
    assert table.rows[0][1:] == ["1.0000", f"{low:.3f} to {high:.3f}"]
    assert {row[2] for row in table.rows[1:]} == {"undefined"}
    html = report_html(runs)
    assert "do not share at least two test images" in html
    assert "Do the runs differ?" not in html


def test_figures_come_as_png_and_svg(small_dataset):
    with zipfile.ZipFile(io.BytesIO(figures_zip([write_run(small_dataset, wrong=[0])]))) as archive:
        names = archive.namelist()
        assert {name.rpartition(".")[0] for name in names if name.endswith(".png")} == {
            name.rpartition(".")[0] for name in names if name.endswith(".svg")
        }
        assert any("confusion" in name for name in names)
        for name in names:
            content = archive.read(name)
            if name.endswith(".svg"):
                ElementTree.fromstring(content)
            else:
                assert content.startswith(b"\x89PNG")
