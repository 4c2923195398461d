"""Pages in an empty home folder: they lead to the Overview page."""

import pytest

PAGES = ("data/explore", "data/preprocess", "model/train", "model/results")


def test_the_overview_offers_the_demo_and_the_import(visit, cfu_home):
    app = visit()
    assert app.button(key="demo_button").label
    assert app.button(key="import_go").disabled
    assert {m.label: m.value for m in app.metric} == {"Datasets": "0", "Runs": "0", "Training now or waiting": "0"}
    assert str(cfu_home) in app.caption[-2].value
    assert not cfu_home.exists(), "viewing a page writes nothing"


@pytest.mark.parametrize("path", PAGES)
def test_other_pages_lead_to_the_overview(visit, path):
    app = visit(path)
    assert [s.value for s in app.header] == ["No dataset yet"]
    assert [link.proto.page for link in app.main.get("page_link")] == [""]  # URL of the Overview page
    assert not app.error


@pytest.mark.parametrize("path", ["start/overview", *PAGES])
@pytest.mark.parametrize("dataset", ["../../etc", "/etc/passwd", "a\0b", "<script>", "nobody-00000000"])
def test_a_malicious_dataset_in_the_url_is_unknown(visit, path, dataset):
    app = visit(path, dataset=dataset)
    assert not app.error
    assert all(dataset not in element.value for element in (*app.markdown, *app.caption, *app.header))


def test_the_demo_button_queues_one_job_and_shows_it(visit, cfu_home, no_workers):
    app = visit()
    app.button(key="demo_button").click().run()
    assert not app.exception
    (job,) = (cfu_home / "jobs").iterdir()
    assert "data" in no_workers
    assert app.button(key=f"cancel-{job.name}")
    assert app.button(key="demo_button").disabled  # while a job draws the demo
    other = visit()
    assert other.button(key="demo_button").disabled
    app.button(key=f"cancel-{job.name}").click().run()
    assert not app.exception
    assert [e.value for e in app.error] == ["Removed from the queue before it started."]


def test_a_folder_is_uploaded_with_all_its_files_so_that_the_import_lists_those_it_leaves_out(visit):
    app = visit()
    app.button_group(key="import_way").set_value("Folder").run()
    (uploader,) = app.get("file_uploader")
    assert list(uploader.proto.type) == []
    app.button_group(key="import_way").set_value("Zip").run()
    (uploader,) = app.get("file_uploader")
    assert list(uploader.proto.type) == [".zip"]
