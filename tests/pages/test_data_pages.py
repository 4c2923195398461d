"""Explore and Preprocess with a small dataset."""

import pytest

from cfu_core.dataset.splitting import PARTITIONS, split_of

DRAWN = "drawn, not photographed"
EVERY_PAGE = ("start/overview", "data/explore", "data/preprocess", "model/train", "model/results")


def captions(app) -> list[str]:
    return [caption.value for caption in app.main.caption]


def tiles(app) -> list[str]:
    """What stands under the gallery's images."""
    return [text for text in captions(app) if text.startswith("**")]


def test_explore_counts_what_the_split_has(visit, small_dataset, figures):
    app = visit("data/explore", dataset=small_dataset.id)
    split = split_of(small_dataset, seed=0)
    table = app.dataframe[0].value.set_index("Class")
    for name, parts in split.counts.items():
        assert table.loc[name, ["Training", "Validation", "Test"]].tolist() == [parts[p] for p in PARTITIONS]
        assert table.loc[name, "Total"] == small_dataset.counts[name]
    assert table.loc["All", "Total"] == 36
    assert split.nearness in captions(app)
    bars = figures(app)[0]["data"]
    assert [bar["text"] for bar in bars] == [
        [str(split.counts[c][p]) for c in small_dataset.classes] for p in PARTITIONS
    ]


def test_explore_filters_by_class_partition_and_name(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id)
    assert len(tiles(app)) == 24
    assert "Images 1 to 24 of 36" in captions(app)
    app.button_group(key="class").set_value(["ring"]).run()
    assert len(tiles(app)) == 13
    app.button_group(key="partition").set_value(["test"]).run()
    held_out = split_of(small_dataset, seed=0).counts["ring"]["test"]
    assert len(tiles(app)) == held_out
    assert all(text.startswith("**ring** · Test") for text in tiles(app))
    app.text_input(key="name").set_value("[no such").run()  # no regular expression
    assert not app.exception
    assert tiles(app) == []
    assert app.main.info


def test_explore_shows_the_filters_of_a_link(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id, **{"class": "disc", "partition": ["training", "test"]})
    counts = split_of(small_dataset, seed=0).counts["disc"]
    assert len(tiles(app)) == counts["training"] + counts["test"]
    again = visit("data/explore", dataset=small_dataset.id, **{"class": "nothing", "partition": "x", "page": "99"})
    assert len(tiles(again)) == 24


def test_explore_splits_by_the_seed_of_a_link(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id, split_seed="7")
    assert app.number_input(key="split_seed").value == 7
    assignment = split_of(small_dataset, seed=7).assignment
    rows = small_dataset.images["path"].tolist()[:24]
    assert [text.split(" · ")[1].split()[0].lower() for text in tiles(app)] == [assignment[path] for path in rows]
    for nonsense in ("-1", "x", "1e9", "99999999999"):
        app = visit("data/explore", dataset=small_dataset.id, split_seed=nonsense)
        assert app.number_input(key="split_seed").value == 0


def test_explore_lists_problems_and_identical_files(visit, flawed_dataset):
    app = visit("data/explore", dataset=flawed_dataset.id)
    app.session_state["facts"] = next(tab.label for tab in app.tabs if tab.label.startswith("Problems"))
    app.run()
    assert not app.exception
    problems = app.dataframe[-1].value
    assert problems["File"].tolist() == ["large/cut.png"]
    assert problems["What is wrong"].tolist() == [flawed_dataset.problems[0].detail]
    app.session_state["facts"] = "Identical files"
    app.run()
    assert app.dataframe[-1].value.iloc[:, 0].tolist() == ["small/00.png, small/01.png"]


def test_preprocess_says_what_the_sliders_do(visit, small_dataset):
    app = visit("data/preprocess", dataset=small_dataset.id)
    before = [markdown.value for markdown in app.markdown], captions(app)
    app.slider(key="clip").set_value(4.0).run()
    app.slider(key="tiles").set_value(4).run()
    assert not app.exception
    assert ([markdown.value for markdown in app.markdown], captions(app)) != before
    assert any("| OpenCV (ours) | 4 |" in markdown.value for markdown in app.markdown)
    assert app.query_params["clip"] in ("4.0", ["4.0"])
    assert app.query_params["tiles"] in ("4", ["4"])


@pytest.mark.parametrize(
    "query",
    [
        {"clip": "999"},
        {"clip": "-1"},
        {"clip": "nan"},
        {"clip": "1e400"},
        {"clip": "abc"},
        {"tiles": "0"},
        {"tiles": "2.5"},
        {"tiles": "100000"},
    ],
)
@pytest.mark.parametrize("path", ["data/preprocess", "model/train"])
def test_settings_that_make_no_sense_are_left_aside(visit, small_dataset, path, query):
    app = visit(path, dataset=small_dataset.id, **query)
    assert (app.slider(key="clip").value, app.slider(key="tiles").value) == (2.0, 8)
    assert not app.error


def test_settings_of_a_link_reach_the_train_page(visit, small_dataset):
    app = visit("model/train", dataset=small_dataset.id, clip="3.5", tiles="5", network="alexnet")
    assert any("CLAHE (clip 3.5, 5 × 5 tiles) → resize to 224 × 224" in text for text in captions(app))


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_every_page_says_that_a_drawn_dataset_is_drawn(visit, drawn_dataset, path):
    app = visit(path, dataset=drawn_dataset.id)
    assert any(DRAWN in element.value for element in app.main.markdown)
    assert any(DRAWN in element.value for element in app.sidebar.markdown)


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_no_page_says_so_of_photographs(visit, small_dataset, path):
    app = visit(path, dataset=small_dataset.id)
    assert not any(DRAWN in element.value for element in app.markdown)


@pytest.mark.parametrize("path", EVERY_PAGE)
@pytest.mark.parametrize("damage", ["dataset.json", "images.parquet"])
def test_an_unreadable_dataset_is_an_error_in_words(visit, small_dataset, cfu_home, path, damage):
    (cfu_home / "datasets" / small_dataset.id / damage).write_bytes(b"{ nonsense")
    app = visit(path, dataset=small_dataset.id)
    if path == "start/overview" and damage == "images.parquet":
        assert not app.error  # the list of datasets does not open the tables
    elif path == "start/overview":
        assert "damaged" in app.error[0].value
    elif damage == "dataset.json":
        assert [s.value for s in app.subheader] == ["No dataset yet"]
    else:
        assert "damaged" in app.error[0].value


def test_a_link_to_an_image_opens_its_class_too(visit, small_dataset):
    path = small_dataset.images["path"].iat[-1]
    app = visit("data/preprocess", dataset=small_dataset.id, image=path)
    assert app.selectbox(key="image").value == path
    assert app.selectbox(key="preview_class").value == small_dataset.images["label"].iat[-1]
