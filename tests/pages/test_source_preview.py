"""The form of the import shows what each level of folders is taken for, before anything is imported."""

import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.preview import preview_source
from cfu_core.job import Job
from cfu_core.jobs.launch import submit
from cfu_core.jobs.queue import all_jobs
from cfu_core.jobs.tasks import execute


@pytest.fixture
def form(visit):
    """Return a function that opens the form with a path."""

    def open_form(path: Path):
        app = visit()
        app.button_group(key="import_way").set_value("Path").run()
        app.text_input(key="import_path_0").set_value(str(path)).run()
        assert not app.exception
        return app

    return open_form


def choose_path(app, path: Path) -> None:
    app.text_input(key="import_path_0").set_value(str(path)).run()
    assert not app.exception


def widget(elements, name: str):
    """Return the widget of this kind whose key contains a name, or None."""
    return next((element for element in elements if element.key and name in element.key), None)


def roles(app) -> dict[str, str | None]:
    return {box.label: box.value for box in app.selectbox if box.key and "_role_" in box.key}


def imported(app) -> Job:
    app.button(key="import_go").click().run()
    assert not app.exception
    (job,) = all_jobs()
    return job


@pytest.fixture
def crossed(nine_shapes, tmp_path) -> Path:
    """Two levels of folders with names that do not say which one is the class."""
    for top in ("north", "south"):
        shutil.copytree(nine_shapes, tmp_path / "crossed" / top)
    return tmp_path / "crossed"


def test_classes_in_one_level_need_no_choice(form, nine_shapes):
    app = form(nine_shapes)
    assert roles(app) == {}
    assert "**9 images in 3 classes**" in [element.value for element in app.markdown]
    assert app.table[0].value["images"].to_dict() == {"disc": 3, "ring": 3, "square": 3}
    assert imported(app).spec["layout"] == asdict(LayoutChoice())


def test_a_given_split_is_proposed_and_can_be_ignored(form, cases):
    app = form(cases / "10_presplit" / "kaggle_download")
    assert list(roles(app).values()) == ["partition", "class"]
    assert app.table[0].value.loc["CFU\\-E"].to_dict() == {"training": 8, "validation": 2, "test": 5}
    first = next(box for box in app.selectbox if "Level 1" in box.label)
    first.set_value("ignored").run()
    assert app.table[0].value["images"].to_dict() == {"CFU\\-E": 15, "CFU\\-GM": 14}
    assert imported(app).spec["layout"]["roles"] == ["ignored", "class"]


def test_names_that_do_not_decide_are_asked_before_the_import(form, crossed):
    app = form(crossed)
    (question,) = [element.value for element in app.warning]
    assert "Two levels of folders may be the class" in question
    assert list(roles(app).values()) == [None, None]
    assert app.button(key="import_go").disabled
    for label, role in (("Level 1", "group"), ("Level 2", "class")):
        next(box for box in app.selectbox if label in box.label).set_value(role).run()
    assert "**18 images in 3 classes, 2 dishes or donors**" in [element.value for element in app.markdown]
    job = imported(app)
    execute(job)
    data = load_dataset(job.status().details["dataset"])
    assert data.counts == {"disc": 6, "ring": 6, "square": 6}
    assert sorted(data.images["group"].unique()) == ["north", "south"]


def test_a_choice_that_does_not_fit_is_said(form, crossed):
    app = form(crossed)
    for label, role in (("Level 1", "class"), ("Level 2", "class")):
        next(box for box in app.selectbox if label in box.label).set_value(role).run()
    assert "Two levels of folders are the class" in app.warning[-1].value
    assert app.button(key="import_go").disabled


def test_folders_to_leave_out_can_be_chosen(form, nine_shapes, tmp_path):
    shutil.copytree(nine_shapes, tmp_path / "plates" / "images")
    shutil.copytree(nine_shapes, tmp_path / "plates" / "masks")
    app = form(tmp_path / "plates")
    assert widget(app.multiselect, "left_out").value == ["masks"]
    widget(app.multiselect, "left_out").set_value(["masks", "ring"]).run()
    assert app.table[0].value["images"].to_dict() == {"disc": 3, "square": 3}
    assert LayoutChoice.from_dict(imported(app).spec["layout"]) == LayoutChoice(left_out=("masks", "ring"))


@pytest.mark.parametrize(("name", "text"), [("none", "does not exist"), ("empty", "is empty")])
def test_a_source_that_cannot_be_imported_is_said_before_the_import(form, tmp_path, name, text):
    (tmp_path / "empty").mkdir()
    app = form(tmp_path / name)
    assert text in app.error[0].value
    assert app.button(key="import_go").disabled


def test_the_encoding_of_names_in_a_zip_can_be_chosen(form, cases):
    app = form(cases / "09_zip_names" / "cp932_unmarked.zip")
    guessed = app.table[0].value.index.tolist()
    widget(app.selectbox, "encoding").set_value("gb18030").run()
    assert app.table[0].value.index.tolist() != guessed
    assert imported(app).spec["zip_names"] == "gb18030"


def test_the_choices_for_one_source_do_not_apply_to_the_next(form, nine_shapes, cases, tmp_path):
    for plates in ("a", "b"):
        for folder in ("images", "masks"):
            shutil.copytree(nine_shapes, tmp_path / plates / folder)
    app = form(tmp_path / "a")
    widget(app.multiselect, "left_out").set_value([]).run()
    for label, role in (("Level 1", "ignored"), ("Level 2", "class")):
        next(box for box in app.selectbox if label in box.label).set_value(role).run()
    assert "**18 images in 3 classes**" in [element.value for element in app.markdown]
    choose_path(app, tmp_path / "b")
    assert widget(app.multiselect, "left_out").value == ["masks"]
    assert "**9 images in 3 classes**" in [element.value for element in app.markdown]
    choose_path(app, cases / "09_zip_names" / "cp932_unmarked.zip")
    widget(app.selectbox, "encoding").set_value("gb18030").run()
    choose_path(app, tmp_path / "b")
    assert widget(app.selectbox, "encoding") is None
    assert imported(app).spec["zip_names"] is None


def test_a_folder_that_was_changed_is_listed_again(form, nine_shapes, tmp_path):
    source = Path(shutil.copytree(nine_shapes, tmp_path / "shapes"))
    app = form(source)
    shutil.rmtree(source / "disc")
    widget(app.button, "_list").click().run()
    assert app.table[0].value["images"].to_dict() == {"ring": 3, "square": 3}


def test_the_encoding_is_asked_for_names_in_a_zip_only(form, cases, nine_shapes, tmp_path):
    shutil.copy(cases / "09_zip_names" / "cp932_unmarked.zip", tmp_path / "SHAPES.ZIP")
    app = form(tmp_path / "SHAPES.ZIP")
    assert widget(app.selectbox, "encoding") is not None
    source = Path(shutil.copytree(nine_shapes, tmp_path / "shapes"))
    rows = [f"{path.relative_to(source).as_posix()},Röhre\n" for path in sorted(source.rglob("*.png"))]
    (source / "manifest.csv").write_bytes("".join(["path,label\n", *rows]).encode("cp1252"))
    archive = shutil.make_archive(str(tmp_path / "listed"), "zip", source)
    choose_path(app, Path(archive))
    assert "gives the classes" in " ".join(element.value for element in app.caption)
    assert any(issue.kind == "encoding" for issue in preview_source(Path(archive)).issues)  # of the manifest
    assert widget(app.selectbox, "encoding") is None


def test_an_import_is_submitted_once_if_streamlit_stops_the_run_right_after(form, nine_shapes, monkeypatch):
    def submit_and_stop(kind, spec):
        job = submit(kind, spec)
        get_script_run_ctx().script_requests.request_stop()  # the run ends at its next use of Streamlit
        return job

    app = form(nine_shapes)
    monkeypatch.setattr("pages.components.start.importer.submit", submit_and_stop)
    imported(app)
    app.run()
    assert not app.exception
    assert len(list(all_jobs())) == 1
    assert app.text_input(key="import_path_1").value == ""
    assert app.button(key="import_go").disabled


def test_an_upload_is_stored_once_and_removed_if_it_is_not_imported(visit, cfu_home, nine_shapes, tmp_path):
    archive = Path(shutil.make_archive(str(tmp_path / "shapes"), "zip", nine_shapes))
    app = visit()
    (uploader,) = app.file_uploader
    uploader.set_value((archive.name, archive.read_bytes(), "application/zip")).run()
    assert "**9 images in 3 classes**" in [element.value for element in app.markdown]
    (stored,) = (cfu_home / "incoming").glob("*/*")
    app.text_input(key="import_name_0").set_value("my shapes").run()
    assert list((cfu_home / "incoming").glob("*/*")) == [stored]
    app.file_uploader[0].set_value(None).run()
    assert list((cfu_home / "incoming").iterdir()) == []
    assert app.button(key="import_go").disabled


def test_an_uploaded_folder_is_listed_and_imported(visit, cfu_home, nine_shapes):
    app = visit()
    app.button_group(key="import_way").set_value("Folder").run()
    files = [(f"plates/{p.relative_to(nine_shapes).as_posix()}", p.read_bytes()) for p in nine_shapes.rglob("*.png")]
    files.append(("plates/notes.txt", b"none"))
    app.file_uploader[0].set_value([(name, data, "image/png") for name, data in files]).run()
    assert "**9 images in 3 classes**" in [element.value for element in app.markdown]
    assert [element.label for element in app.expander] == ["1 file or folder left out", "Structure of the folder"]
    job = imported(app)
    execute(job)
    data = load_dataset(job.status().details["dataset"])
    assert (data.name, data.counts) == ("plates", {"disc": 3, "ring": 3, "square": 3})
    assert list((cfu_home / "incoming").iterdir()) == []


def test_images_without_class_folders_are_imported_without_classes(form, nine_shapes, visit):
    app = form(nine_shapes / "ring")
    assert app.table[0].value["images"].to_dict() == {"no class": 3}
    assert "**3 images in 0 classes**" in [element.value for element in app.markdown]
    job = imported(app)
    execute(job)
    data = load_dataset(job.status().details["dataset"])
    assert data.unlabelled == 3
    for page in ("data/explore", "data/preprocess", "model/train"):
        assert not visit(page, dataset=data.id).exception
    explore = visit("data/explore", dataset=data.id)
    explore.button(key="label_next").click().run()
    assert not explore.exception
    assert "no class" in [button.label for button in explore.button]


def test_all_levels_may_be_without_a_meaning(form, crossed):
    app = form(crossed)
    for label in ("Level 1", "Level 2"):
        next(box for box in app.selectbox if label in box.label).set_value("ignored").run()
    assert app.table[0].value["images"].to_dict() == {"no class": 18}
    assert LayoutChoice.from_dict(imported(app).spec["layout"]).unlabelled
