"""The Explore and Preprocess pages with a small dataset."""

import cv2
import numpy as np
import pytest

from cfu_core.dataset.audit.audit import audit
from cfu_core.dataset.audit.filtering import saved_filters
from cfu_core.dataset.audit.limits import read_limits
from cfu_core.dataset.catalog import delete_dataset, load_dataset
from cfu_core.dataset.edits import edit_dataset, edit_log, undo_edit
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.splitting import PARTITIONS, split_of
from cfu_core.dataset.survey.survey import load_survey, survey
from cfu_core.imaging.recipe import Recipe
from cfu_core.jobs.queue import all_jobs
from cfu_core.jobs.tasks import execute
from cfu_core.saved_recipes import saved_recipes
from tests.pages.written import tiles

DRAWN = "drawn, not photographed"
EVERY_PAGE = ("start/overview", "data/explore", "data/preprocess", "model/train", "model/results")


def captions(app) -> list[str]:
    return [caption.value for caption in app.main.caption]


def in_url(app, name: str) -> list[str]:
    """Return the values of a URL parameter."""
    value = app.query_params[name]
    return value if isinstance(value, list) else [value]


def count_text(app) -> str:
    """Return the text with the number of images that pass the filter."""
    return next(element.value for element in app.markdown if " images" in element.value and " of " in element.value)


def test_explore_shows_the_counts_of_the_split(visit, small_dataset, figures):
    app = visit("data/explore", dataset=small_dataset.id)
    split = split_of(small_dataset, seed=0)
    table = app.dataframe[0].value.set_index("Class")
    for name, parts in split.counts.items():
        assert table.loc[name, ["Training", "Validation", "Test"]].tolist() == [parts[p] for p in PARTITIONS]
        assert table.loc[name, "Total"] == small_dataset.counts[name]
    assert table.loc["All", "Total"] == 36
    assert split.nearness in captions(app)
    *bars, totals = figures(app)[0]["data"]
    assert totals["text"] == [f"{count} in total" for count in small_dataset.counts.values()]
    assert [bar["text"] for bar in bars] == [
        [str(split.counts[c][p]) for c in small_dataset.classes] for p in PARTITIONS
    ]


def test_explore_filters_by_class_partition_and_name(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id)
    assert [tile["id"] for tile in tiles(app)] == small_dataset.images["path"].tolist()
    assert count_text(app) == "36 of 36 images"
    app.button_group(key="filter_classes_0").set_value(["ring"]).run()
    assert len(tiles(app)) == 13
    app.button_group(key="filter_partitions_0").set_value(["test"]).run()
    held_out = split_of(small_dataset, seed=0).counts["ring"]["test"]
    assert len(tiles(app)) == held_out
    assert all((tile["title"], tile["badge"]) == ("ring", "Test") for tile in tiles(app))
    assert in_url(app, "class") == ["ring"]
    app.text_input(key="filter_name_0").set_value("[no such").run()  # no regular expression
    assert not app.exception
    assert count_text(app) == "0 of 36 images"
    app.button(key="chips_clear").click().run()
    assert count_text(app) == "36 of 36 images"
    assert "class" not in app.query_params


def test_a_chip_removes_one_filter(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id, **{"class": ["disc", "ring"], "name": "0"})
    next(button for button in app.button if button.label == "ring").click().run()
    assert in_url(app, "class") == ["disc"]
    assert in_url(app, "name") == ["0"]
    next(button for button in app.button if button.label == "name: 0").click().run()
    assert count_text(app) == "12 of 36 images"


def test_a_link_sets_the_filters_of_explore(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id, **{"class": "disc", "partition": ["training", "test"]})
    counts = split_of(small_dataset, seed=0).counts["disc"]
    assert len(tiles(app)) == counts["training"] + counts["test"]
    again = visit("data/explore", dataset=small_dataset.id, **{"partition": "x", "page": "99", "in.brightness": "a~b"})
    assert not again.exception


def test_a_view_is_saved_and_opened_by_a_link(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id, **{"class": "ring", "partition": "test"})
    number = len(tiles(app))
    app.text_input(key="view_name").set_value("Rings to test").run()
    app.button(key="view_keep").click().run()
    again = visit("data/explore", dataset=small_dataset.id, view="Rings to test")
    assert len(tiles(again)) == number
    assert in_url(again, "class") == ["ring"]
    again.button(key="view_delete_Rings to test").click().run()
    assert saved_filters(small_dataset.id) == {}


def test_a_link_sets_the_split_seed_of_explore(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id, split_seed="7")
    assert app.number_input(key="split_seed").value == 7
    assignment = split_of(small_dataset, seed=7).assignment
    badges = {"training": "Train", "validation": "Val", "test": "Test"}
    assert {tile["id"]: tile["badge"] for tile in tiles(app)} == {path: badges[p] for path, p in assignment.items()}
    for nonsense in ("-1", "x", "1e9", "99999999999"):
        app = visit("data/explore", dataset=small_dataset.id, split_seed=nonsense)
        assert app.number_input(key="split_seed").value == 0


def test_the_first_visit_submits_one_survey(visit, small_dataset, no_workers):
    app = visit("data/explore", dataset=small_dataset.id)
    assert "background" in no_workers
    jobs = [job for job in all_jobs() if job.kind == "survey"]
    assert [job.spec["dataset"] for job in jobs] == [small_dataset.id]
    app.run()
    assert len([job for job in all_jobs() if job.kind == "survey"]) == 1


def test_the_grid_is_sorted_by_a_measure(visit, surveyed_dataset):
    app = visit("data/explore", dataset=surveyed_dataset.id, sort="brightness", down="True")
    brightness = load_survey(surveyed_dataset).table["brightness"]
    expected = surveyed_dataset.images["path"].loc[brightness.sort_values(ascending=False, kind="stable").index]
    assert [tile["id"] for tile in tiles(app)] == expected.tolist()


def test_a_link_filters_by_the_range_of_a_measure(visit, surveyed_dataset):
    values = load_survey(surveyed_dataset).table["brightness"]
    middle = float(values.median())
    app = visit("data/explore", dataset=surveyed_dataset.id, **{"in.brightness": f"0~{middle:g}"})
    assert len(tiles(app)) == (values <= float(f"{middle:g}")).sum()


@pytest.mark.parametrize("panel", ["Measures", "Map", "Audit", "History"])
def test_every_panel_of_explore_shows(visit, surveyed_dataset, panel):
    app = visit("data/explore", dataset=surveyed_dataset.id)
    app.session_state["explore_panel"] = panel
    app.run()
    assert not app.exception
    assert not app.error


def test_relabel_undo_redo(visit, surveyed_dataset):
    path = surveyed_dataset.images["path"].iat[0]
    app = visit("data/explore", dataset=surveyed_dataset.id, image=path)
    app.selectbox(key="large_label").set_value("ring").run()
    app.text_input(key="large_label_who").set_value("Ada").run()
    app.text_input(key="large_label_why").set_value("a hole").run()
    app.button(key="large_relabel").click().run()
    assert load_dataset(surveyed_dataset.id).counts["ring"] == 14
    edit = edit_log(surveyed_dataset.id)[-1]
    assert (edit.who, edit.why, edit.changes) == ("Ada", "a hole", {path: "ring"})
    app.button(key="edit_undo").click().run()
    assert load_dataset(surveyed_dataset.id).counts == surveyed_dataset.counts
    app.button(key="edit_redo").click().run()
    assert load_dataset(surveyed_dataset.id).counts["ring"] == 14


@pytest.mark.parametrize("whole", [True, False])
def test_a_move_of_part_of_a_dish_offers_to_move_all_of_it(visit, surveyed_dataset, whole):
    dish = surveyed_dataset.images["path"].tolist()[:4]
    data = edit_dataset(surveyed_dataset.id, "group", dict.fromkeys(dish, "dish_7"))
    here = split_of(data, seed=0).assignment[dish[0]]
    other = "test" if here != "test" else "training"
    app = visit("data/explore", dataset=data.id, image=dish[0])
    app.selectbox(key="large_part").set_value(other).run()
    (warning,) = [element.value for element in app.warning if "leak" in element.value]
    assert f"has 3 more in {here}" in warning
    box = app.checkbox(key="large_whole")
    assert (box.value, box.label) == (True, "Move all 4 images, so that each group stays together")
    if not whole:
        box.uncheck().run()
    app.button(key="large_move").click().run()
    assert load_dataset(data.id).partitions == dict.fromkeys(dish if whole else dish[:1], other)
    train = visit("model/train", dataset=data.id)
    leaks = [element.value for element in train.warning if "Groups in several partitions" in element.value]
    assert len(leaks) == (0 if whole else 1)


def test_a_split_that_the_source_gives_says_what_the_seed_changes_and_which_images_leak(visit, nine_shapes):
    paths = [f"{label}/0{i}.png" for label in ("disc", "ring", "square") for i in range(3)]
    rows = [f"{path},{path.partition('/')[0]},{PARTITIONS[i % 3]}" for i, path in enumerate(paths)]
    (nine_shapes / "manifest.csv").write_text("\n".join(["path,label,partition", *rows]))
    (nine_shapes / paths[2]).write_bytes((nine_shapes / paths[0]).read_bytes())
    data = import_source(nine_shapes)
    train = visit("model/train", dataset=data.id)
    (leak,) = [element.value for element in train.warning if "leak" in element.value]
    assert leak.startswith("**Copies in different partitions (leak).** 2 images in 1 group are copies")
    seed = train.number_input(key="split_seed")
    assert seed.help == "The source gives the partitions: the seed changes only the folds of a cross-validation."
    assert seed.help in captions(train)


def test_exclude_and_include_again(visit, surveyed_dataset):
    path = surveyed_dataset.images["path"].iat[0]
    app = visit("data/explore", dataset=surveyed_dataset.id, image=path)
    app.button(key="large_exclude").click().run()
    assert not app.exception
    assert path not in load_dataset(surveyed_dataset.id).images["path"].tolist()
    app.session_state["explore_panel"] = "History"
    app.run()
    assert app.selectbox(key="excluded_path").value == path
    app.button(key="include").click().run()
    assert load_dataset(surveyed_dataset.id).counts == surveyed_dataset.counts


def test_a_dataset_imported_again_shows_its_own_edits(visit, drawn_shapes):
    for undone in (False, True):  # both give version 2 with all images unchanged
        data = import_source(drawn_shapes, name="again")
        path = data.images["path"].iat[0]
        edit_dataset(data.id, "exclude", {path: None})
        undo_edit(data.id) if undone else edit_dataset(data.id, "include", {path: None})
        app = visit("data/explore", dataset=data.id)
        assert app.button(key="edit_redo").disabled != undone
        delete_dataset(data.id)


def test_groups_from_file_names_are_previewed(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id)
    app.session_state["explore_panel"] = "History"
    app.run()
    app.text_input(key="group_pattern").set_value("(((").run()
    assert "not a valid regular expression" in app.error[0].value
    app.text_input(key="group_pattern").set_value("{group}/*").run()
    assert any(element.value == "**3 groups**." for element in app.markdown)
    assert load_dataset(small_dataset.id).version == 0
    app.button(key="group_go").click().run()
    assert sorted(load_dataset(small_dataset.id).images["group"].unique()) == small_dataset.classes


def test_problems_of_the_import_and_identical_files_are_findings(visit, flawed_dataset):
    app = visit("data/explore", dataset=flawed_dataset.id)
    app.session_state["explore_panel"] = "Audit"
    app.run()
    assert not app.exception
    (remarks,) = [table.value for table in app.table]
    assert remarks.index.tolist() == ["large/cut.png"]
    app.button(key="show_byte-duplicate").click().run()
    assert [tile["id"] for tile in tiles(app)] == ["small/00.png", "small/01.png"]
    app.session_state["explore_panel"] = "Audit"
    app.run()
    next(b for b in app.button if b.key and b.key.startswith("remedy_byte-duplicate_Keep one")).click().run()
    assert len(load_dataset(flawed_dataset.id).images) == 29


def test_the_overview_links_to_the_files_that_were_not_imported(visit, flawed_dataset):
    app = visit("start/overview", dataset=flawed_dataset.id)
    (link,) = [link.proto for link in app.main.get("page_link") if "of the import" in link.proto.label]
    assert link.label == "1 remark of the import: what it left out or assumed"
    assert "explore_panel=Audit" in link.query_string


def test_names_with_markdown_are_shown_as_they_are_spelt(visit, tmp_path):
    for name in ("CFU_GM*2", "B_*_pre"):
        (tmp_path / "marked" / name).mkdir(parents=True)
        for number in range(8):
            image = np.full((20, 30, 3), 20 * number, dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "marked" / name / f"{number}.png"), image)
    data = import_source(tmp_path / "marked", name="*a* _b_")
    app = visit("data/explore", dataset=data.id, **{"class": "CFU_GM*2"})
    assert r"**\*a\* \_b\_**" in [element.value for element in app.main.markdown]
    assert r"CFU\_GM\*2" in [button.label for button in app.button]
    assert app.button_group(key="filter_classes_1").options == [r"B\_\*\_pre", r"CFU\_GM\*2"]


@pytest.mark.parametrize("panel", ["Numbers", "What if", "Other methods", "The crop", "Augmentation", "Whole dataset"])
def test_every_panel_of_preprocess_shows(visit, surveyed_dataset, panel):
    app = visit("data/preprocess", dataset=surveyed_dataset.id, tiles="4")
    app.session_state["preprocess_panel"] = panel
    app.run()
    assert not app.exception
    assert not app.error


def test_preprocess_describes_its_settings(visit, small_dataset):
    app = visit("data/preprocess", dataset=small_dataset.id, clip="4.0", tiles="4", crop="False")
    assert any("CLAHE (clip 4, 4 × 4 tiles)" in text for text in captions(app))
    # 64 x 48 pixels in 4 x 4 tiles of 16 x 12; 4 times the mean bin of 192 / 256 is 3
    assert any(
        "Tiles of 16 × 12 pixels; each tile's histogram is clipped at 3 of 192" in text for text in captions(app)
    )
    assert any("scikit-image: 0.0156; in MATLAB: 0.0118" in text for text in captions(app))


def test_a_preset_sets_the_clip_limit(visit, small_dataset):
    app = visit("data/preprocess", dataset=small_dataset.id)
    app.button(key="preset_MATLAB").click().run()
    assert not app.exception
    assert any("CLAHE (clip 3.55, 8 × 8 tiles)" in text for text in captions(app))
    assert in_url(app, "clip") == ["3.55"]


def test_a_recipe_is_saved_used_and_deleted(visit, small_dataset):
    app = visit("data/preprocess", dataset=small_dataset.id, contrast="gamma", gamma="0.5")
    app.text_input(key="recipe_name").set_value("Dim plates").run()
    app.button(key="recipe_keep").click().run()
    assert saved_recipes()["Dim plates"].gamma == 0.5
    app.button_group(key="contrast").set_value("stretch").run()
    app.button(key="recipe_open_Dim plates").click().run()
    assert not app.exception
    assert any("gamma 0.5" in text for text in captions(app))
    app.button(key="recipe_delete_Dim plates").click().run()
    assert saved_recipes() == {}


def test_a_cell_of_the_what_if_sheet_sets_the_recipe(visit, small_dataset):
    app = visit("data/preprocess", dataset=small_dataset.id)
    app.session_state["preprocess_panel"] = "What if"
    app.run()
    app.button(key="take_8_4").click().run()
    assert any("CLAHE (clip 8, 4 × 4 tiles)" in text for text in captions(app))


def test_apply_to_all_queues_a_job_and_shows_its_result(visit, small_dataset):
    app = visit("data/preprocess", dataset=small_dataset.id, tiles="4")
    app.session_state["preprocess_panel"] = "Whole dataset"
    app.run()
    app.button(key="prepare_go").click().run()
    assert not app.exception
    job = next(job for job in all_jobs() if job.kind == "prepare")
    assert Recipe.from_dict(job.spec["recipe"]).tiles == 4
    assert execute(job).state == "finished"
    app.run()
    assert "36 images" in app.success[0].value


def test_train_shows_the_augmentation_of_the_preview(visit, small_dataset):
    app = visit("data/preprocess", dataset=small_dataset.id)
    app.session_state["preprocess_panel"] = "Augmentation"
    app.run()
    app.slider(key="aug_angle").set_value(30.0).run()
    app.switch_page("pages/model/train.py").run()
    assert any("rotation up to 30°" in text for text in captions(app))


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
def test_invalid_settings_in_a_link_are_ignored(visit, small_dataset, query):
    app = visit("model/train", dataset=small_dataset.id, **query)
    assert any("CLAHE (clip 2, 8 × 8 tiles)" in text for text in captions(app))
    assert not app.error
    app = visit("data/preprocess", dataset=small_dataset.id, **query)
    assert any("CLAHE (clip 2, 8 × 8 tiles)" in text for text in captions(app))
    assert not app.error


def test_settings_of_a_link_reach_the_train_page(visit, small_dataset):
    app = visit("model/train", dataset=small_dataset.id, clip="3.5", tiles="5", network="alexnet")
    assert any("CLAHE (clip 3.5, 5 × 5 tiles) → resize to the network’s input" in text for text in captions(app))
    assert any("Its input is 224 × 224 pixels." in text for text in captions(app))


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_every_page_marks_a_drawn_dataset(visit, drawn_dataset, path):
    app = visit(path, dataset=drawn_dataset.id)
    assert any(DRAWN in element.value for element in app.main.markdown)
    assert any(DRAWN in element.value for element in app.sidebar.markdown)


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_no_page_marks_photographs_as_drawn(visit, small_dataset, path):
    app = visit(path, dataset=small_dataset.id)
    assert not any(DRAWN in element.value for element in app.markdown)


@pytest.mark.parametrize("path", EVERY_PAGE)
@pytest.mark.parametrize("damage", ["dataset.json", "images.parquet"])
def test_a_damaged_dataset_gives_an_error_message(visit, small_dataset, cfu_home, path, damage):
    (cfu_home / "datasets" / small_dataset.id / damage).write_bytes(b"{ nonsense")
    app = visit(path, dataset=small_dataset.id)
    if path == "start/overview" and damage == "images.parquet":
        assert not app.error  # the list of datasets does not open the tables
    elif path == "start/overview":
        assert "damaged" in app.error[0].value
    elif damage == "dataset.json":
        assert [s.value for s in app.header] == ["This dataset cannot be shown"]
        assert any("damaged" in element.value for element in app.main.markdown)
    else:
        assert "damaged" in app.error[0].value


def test_a_link_to_an_image_selects_its_class(visit, small_dataset):
    path = small_dataset.images["path"].iat[-1]
    app = visit("data/preprocess", dataset=small_dataset.id, image=path)
    assert app.selectbox(key="image").value == path
    assert app.selectbox(key="preview_class").value == small_dataset.images["label"].iat[-1]


def open_check(app, kind: str) -> None:
    """Open the audit panel with the limit of a check."""
    app.session_state["explore_panel"] = "Audit"
    app.session_state[f"move_{kind}"] = True
    app.run()
    assert not app.exception


def test_the_audit_lists_every_check_also_those_that_found_nothing(visit, surveyed_dataset):
    app = visit("data/explore", dataset=surveyed_dataset.id)
    app.session_state["checks"] = True
    app.session_state["explore_panel"] = "Audit"
    app.run()
    checks = audit(surveyed_dataset, load_survey(surveyed_dataset), split_of(surveyed_dataset, seed=0), {})
    table = app.table[0].value
    assert len(table) == len(checks.checks)
    assert table["Result"].iloc[10].startswith("0 of 36 images; limit 1")
    assert checks.summary in captions(app)


@pytest.mark.usefixtures("cfu_home")
def test_a_blurred_image_is_listed_and_the_limit_is_moved_kept_and_reset(visit, nine_shapes):
    blurred = nine_shapes / "disc" / "00.png"
    cv2.imwrite(str(blurred), cv2.GaussianBlur(cv2.imread(str(blurred)), (0, 0), 2))
    data = import_source(nine_shapes, name="one blurred")
    survey(data)
    app = visit("data/explore", dataset=data.id)
    open_check(app, "blurred")
    assert "Blurred: 1 of 9 images" in [box.label for box in app.expander]
    slider = next(each for each in app.slider if each.key.startswith("limit_blurred"))
    default = slider.value
    assert "compared with the median of the class" in slider.help
    shown = [int(each.key.rpartition("_")[2]) for each in app.button if each.key.startswith("near_blurred_")]
    assert data.images["path"].iloc[shown].tolist()[-1] == "disc/00.png"
    assert len(shown) == 5  # four that are not listed, and the one that is
    app.button(key="show_blurred").click().run()
    assert [tile["id"] for tile in tiles(app)] == ["disc/00.png"]
    assert (app.session_state["sort"], app.session_state["down"]) == ("edge_width", True)
    slider = next(each for each in app.slider if each.key.startswith("limit_blurred"))
    slider.set_value(300.0).run()
    assert not app.exception
    assert read_limits(data.id) == {"blurred": 300}
    assert any(each.key == "reset_blurred" for each in app.button)
    again = visit("data/explore", dataset=data.id)
    open_check(again, "blurred")
    assert "Blurred: 0 of 9 images" in [box.label for box in again.expander]
    assert f"Limit changed from {default:.0f} % to 300 %, kept with the dataset." in captions(again)
    again.button(key="reset_blurred").click().run()
    assert read_limits(data.id) == {}
    assert "Blurred: 1 of 9 images" in [box.label for box in again.expander]


def test_an_image_near_a_limit_is_enlarged(visit, surveyed_dataset):
    app = visit("data/explore", dataset=surveyed_dataset.id)
    open_check(app, "underexposed")
    button = next(button for button in app.button if button.key.startswith("near_underexposed_"))
    row = int(button.key.rpartition("_")[2])
    button.click().run()
    assert in_url(app, "image") == [surveyed_dataset.images["path"].iat[row]]


def test_the_test_images_of_each_class_have_a_limit(visit, surveyed_dataset, figures):
    app = visit("data/explore", dataset=surveyed_dataset.id)
    open_check(app, "small-test")
    counts = split_of(surveyed_dataset, seed=0).counts
    listed = figures(app)[0]["data"][1]
    assert listed["text"] == [str(counts[name]["test"]) for name in surveyed_dataset.classes]
    next(each for each in app.slider if each.key.startswith("limit_small-test")).set_value(1.0).run()
    assert read_limits(surveyed_dataset.id) == {"small-test": 1}
    assert "Few images to test: 0 of 3 classes" in [box.label for box in app.expander]


def test_a_difference_of_files_between_classes_has_a_table(visit, cfu_home, tmp_path):  # noqa: ARG001
    rng = np.random.default_rng(2)
    for name, extension in (("E", "png"), ("GM", "jpg")):
        (tmp_path / "mixed" / name).mkdir(parents=True)
        for i in range(4):
            cv2.imwrite(str(tmp_path / "mixed" / name / f"{i}.{extension}"), rng.integers(0, 256, (9, 9, 3), np.uint8))
    data = import_source(tmp_path / "mixed", name="mixed")
    app = visit("data/explore", dataset=data.id)
    app.session_state["explore_panel"] = "Audit"
    app.run()
    table = next(each.value for each in app.table if "Values" in each.value)
    assert table["Values"].to_dict() == {"E": r"PNG \(4\)", "GM": r"JPEG \(4\)"}
